"""Invoices of the operator's own lines, beside the billing of periods."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.idempotency import claim_key
from backend.accounts.principal import Principal
from backend.customers.profiles import profile_of
from backend.errors import InvalidInput
from backend.invoices.drafts.billing_cursors import unbilled
from backend.invoices.issuing.issuing import ToIssue, issue
from backend.invoices.rules.lines import ComposedLine, Item
from backend.invoices.taxing.answers import TaxAnswers
from backend.invoices.taxing.deciding import tax_rules
from backend.invoices.taxing.untaxed import Untaxed, day_at
from backend.pricing.money import exact_arithmetic, round_to_minor_unit
from backend.settings import Settings
from backend.spend.report import period_of
from backend.subscriptions.periods import period_at
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import InvoiceKind, OneOffInvoiceCreate, OneOffLine
from backend_client.types.spend import Period

ONE_OFF = "one_off"
"""The kind of lines that an operator wrote."""


async def issue_one_off(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    invoice_id: str,
    wanted: OneOffInvoiceCreate,
    now: datetime,
    answers: TaxAnswers | None = None,
    *,
    idempotency_key: str | None = None,
    by: Principal | None = None,
) -> str:
    """Issue an invoice of an operator's lines; return its id: that of then for a key used before.

    It is of the billing period that runs, and taxed by the rates of the day. The balance pays it,
    but credit in the wallet does not before it is overdue: that is for usage. ``by`` is whose act
    it is: the audit has it, once. Raises ``InvalidInput`` if the lines come to nothing;
    ``TaxQuestionOpen`` or ``TaxNotKnown`` where ``answers`` lack what the tax service says.
    """
    await unbilled(connection, tenant.id, lock=True)
    if idempotency_key is not None:
        request = f"one-off invoice {wanted.model_dump_json()}"
        recorded = await claim_key(connection, tenant.id, idempotency_key, request, invoice_id)
        if recorded is not None:
            return recorded
    period = await period_at(connection, tenant, now)
    lines = [
        _line(number, line, period_of(period), tenant.currency)
        for number, line in enumerate(wanted.lines, start=1)
    ]
    profile = await profile_of(connection, tenant.id)
    day = day_at(now, period)
    invoice = Untaxed(invoice_id, InvoiceKind.ONE_OFF, tenant, profile, period, lines, day)
    if invoice.subtotal <= 0:
        raise InvalidInput.of_field("lines", "come to nothing that could be asked for")
    rules = await tax_rules(connection, settings, answers or TaxAnswers())
    issued = ToIssue(invoice, rules.decide(invoice), net_days=wanted.net_days, draws_credit=False)
    await issue(connection, settings, [issued], now)
    if by is not None:
        detail: dict[str, object] = {"lines": [line.name for line in wanted.lines]}
        await record(
            connection, by, "invoice.one-off", invoice_id, tenant_id=tenant.id, detail=detail
        )
    return invoice_id


def _line(number: int, wanted: OneOffLine, period: Period, currency: str) -> ComposedLine:
    with exact_arithmetic():
        exact = wanted.quantity * wanted.unit_price
    amount = round_to_minor_unit(exact, currency)
    of = Item(ONE_OFF, None, None, str(number))
    return ComposedLine(of, wanted.name, period, exact, amount, wanted.quantity)
