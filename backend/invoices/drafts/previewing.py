"""The draft of a tenant's next invoice for readers, with the tax that it would have.

A tax service is asked after the draft's transaction, for a short time only: a reader sees the
draft whatever the service does, with a note where its tax is not known.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.catalog.published import plan_names
from backend.customers.profiles import on_top, seller
from backend.invoices.drafts.billing_cursors import Unbilled
from backend.invoices.drafts.drafting import draft, load_context, untaxed_draft
from backend.invoices.errors import TaxNotKnown
from backend.invoices.rules.lines import ComposedLine
from backend.invoices.taxing.answers import (
    KnownTax,
    TaxAnswers,
    TaxQuestionOpen,
    ask_and_check,
)
from backend.invoices.taxing.deciding import InvoiceTax, tax_rules
from backend.invoices.taxing.service import TaxService
from backend.invoices.taxing.untaxed import digest
from backend.kit.remembered import Remembered
from backend.pricing.money import exact_arithmetic, money
from backend.settings import Settings
from backend.spend.report import period_of
from backend_client.types.invoices import (
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    InvoiceSummary,
)
from backend_client.types.tax_service import TaxQuestion

LOOKS_BACK: Final = 1
"""Earlier periods whose late usage a preview includes; finalizing includes all."""

NOT_KNOWN: Final = "Tax is not known yet. It is added before the invoice is issued."

_SECONDS: Final = 2.0
_REST_SECONDS: Final = 15.0
_KEPT_SECONDS: Final = 300.0
_MOST_KEPT: Final = 1000

Draft = TypeVar("Draft", bound=InvoiceSummary)


async def draft_invoice(
    connection: AsyncConnection, settings: Settings, unbilled: Unbilled, now: datetime
) -> tuple[Invoice, TaxQuestion | None]:
    """Return the draft, and what a tax service must be asked before its tax is known, if any."""
    context = await load_context(connection, [unbilled], now, settings, looking_back=LOOKS_BACK)
    untaxed = untaxed_draft(await draft(connection, unbilled, context))
    names = await plan_names(
        connection, ((line.of.plan, line.of.plan_version) for line in untaxed.lines)
    )
    question = None
    try:
        tax = (await tax_rules(connection, settings, TaxAnswers())).decide(untaxed)
    except TaxQuestionOpen as open_still:
        question = open_still.question.model_copy(update={"preview": True})
        tax = InvoiceTax(notes=[NOT_KNOWN])
    currency, nothing = unbilled.tenant.currency, money(Decimal(0), unbilled.tenant.currency)
    invoice = Invoice(
        id=unbilled.draft_id,
        number=None,
        kind=InvoiceKind.PERIOD,
        state=InvoiceState.DRAFT,
        period=period_of(unbilled.period),
        issued_at=None,
        due_at=None,
        finalizes_at=unbilled.period.end + timedelta(hours=settings.invoice_grace_hours),
        total=money(untaxed.subtotal + on_top(tax.taxes), currency),
        due=nothing,
        tax_known=question is None,
        seller=seller(settings),
        customer=unbilled.profile.customer(unbilled.tenant),
        lines=[
            _composed(number, line, currency, names)
            for number, line in enumerate(untaxed.lines, start=1)
        ],
        subtotal=money(untaxed.subtotal, currency),
        tax_date=untaxed.tax_date,
        taxes=tax.taxes,
        tax_notes=tax.notes,
        paid=nothing,
        credited=nothing,
        payment_note=settings.invoice_payment_note,
    )
    return invoice, question


class TaxPreview:
    """Asks a tax service about drafts that are read. One a process.

    An answer is kept while the draft does not change, for five minutes at most. After a failure
    nothing is asked for 15 seconds, so that a service which is away slows no reader down.
    """

    def __init__(self, service: TaxService | None) -> None:
        self._service = service
        self._answers: Remembered[str, KnownTax] = Remembered(
            seconds=_KEPT_SECONDS, most=_MOST_KEPT
        )
        self._rests_until = 0.0

    async def complete(self, draft: Draft, question: TaxQuestion | None) -> Draft:
        """Return a draft or its summary, with its tax if the service answers in two seconds."""
        if question is None:
            return draft
        tax = await self._ask(question)
        if tax is None:
            return draft
        with exact_arithmetic():
            total = draft.total.amount + on_top(tax.taxes)
        changes: dict[str, object] = {
            "tax_known": True,
            "total": money(total, question.currency),
        }
        if isinstance(draft, Invoice):
            changes |= {"taxes": tax.taxes, "tax_notes": tax.notes}
        return draft.model_copy(update=changes)

    async def _ask(self, question: TaxQuestion) -> KnownTax | None:
        try:
            return await self._answers.get(digest(question), partial(self._ask_anew, question))
        except TaxNotKnown:
            return None

    async def _ask_anew(self, question: TaxQuestion) -> KnownTax:
        if time.monotonic() < self._rests_until:
            raise TaxNotKnown("The tax service failed a moment ago.")
        try:
            async with asyncio.timeout(_SECONDS):
                return await ask_and_check(self._service, question)
        except (TaxNotKnown, TimeoutError) as error:
            self._rests_until = time.monotonic() + _REST_SECONDS
            raise TaxNotKnown("The tax service did not tell the tax in time.") from error


def _composed(
    number: int,
    line: ComposedLine,
    currency: str,
    names: Mapping[tuple[str | None, int | None], str],
) -> InvoiceLine:
    return InvoiceLine(
        line=number,
        kind=line.of.kind,
        name=line.name,
        period=line.period,
        late=line.late,
        plan=line.of.plan,
        plan_version=line.of.plan_version,
        plan_name=names.get((line.of.plan, line.of.plan_version)),
        quantity=line.quantity,
        charge=line.charge,
        before=None if line.before is None else money(line.before, currency),
        exact=line.exact,
        amount=money(line.amount, currency),
    )
