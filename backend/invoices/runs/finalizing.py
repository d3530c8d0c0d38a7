"""Finalize drafts: each period of each tenant once, however often it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.principal import Principal
from backend.errors import FareboxError
from backend.ids import new_id
from backend.invoices.drafts.billing_cursors import (
    Unbilled,
    move_on,
    set_failed,
    set_problem,
    unbilled,
)
from backend.invoices.drafts.drafting import (
    Draft,
    draft,
    load_context,
    period_lines,
    untaxed_draft,
)
from backend.invoices.drafts.in_advance import unbilled_in_advance
from backend.invoices.drafts.items import take_items
from backend.invoices.drafts.late_usage import keep_marks
from backend.invoices.drafts.leavers import tenants_that_left
from backend.invoices.errors import BillingPeriodOpen, InvoiceNotFound, TaxNotKnown
from backend.invoices.issuing.issuing import ToIssue, issue
from backend.invoices.payments.applying import apply_to_parts
from backend.invoices.payments.credit_sales import pay_from_taxed_credit
from backend.invoices.rules.lines import (
    less_invoiced_before,
    may_be_taxed_only,
    total_of,
    worth_invoicing,
)
from backend.invoices.taxing.answers import CHANGED, TaxAnswers, TaxQuestionOpen
from backend.invoices.taxing.deciding import TaxRules, tax_rules
from backend.invoices.taxing.untaxed import Untaxed, day_at
from backend.settings import Settings
from backend.spend.report import period_of
from backend.storage.tables import invoices
from backend.subscriptions.rated_elsewhere import is_rated_elsewhere
from backend.wallets.bills import close_credit
from backend_client.types.invoices import InvoiceKind
from backend_client.types.tax_service import TaxQuestion

_log = structlog.get_logger(__name__)

CAN_NOT_BE_RATED: Final = (FareboxError, ValueError, ArithmeticError, LookupError)
"""What rating a tenant raises where its terms or its usage make no invoice: others go on."""


@dataclass(frozen=True, slots=True)
class Finalized:
    """How many periods were closed with an invoice and without, and how many tenants failed."""

    invoiced: int = 0
    nothing_to_bill: int = 0
    failed: int = 0


async def finalize_all(
    connection: AsyncConnection,
    settings: Settings,
    claimed: Sequence[Unbilled],
    now: datetime,
    run_id: str,
    answers: TaxAnswers,
) -> Finalized:
    """Close the period of each claimed tenant, in the caller's transaction.

    A tenant that can't be rated, or whose tax is not known, is left as it is, with the reason, and
    does not delay the others. One whose lines differ from those that the tax service was asked
    about is not closed: the service is to be asked again.
    """
    if not claimed:
        return Finalized()
    context = await load_context(connection, claimed, now, settings)
    rules = await tax_rules(connection, settings, answers)
    closings: list[_Closing] = []
    failed = 0
    for due in claimed:
        try:
            closings.append(_taxed(await draft(connection, due, context), rules))
        except TaxQuestionOpen:
            if not answers.changed(due.draft_id):
                failed += 1
                await set_failed(connection, due.tenant.id, run_id, CHANGED)
        except TaxNotKnown as error:
            failed += 1
            await set_failed(connection, due.tenant.id, run_id, error.detail)
        except CAN_NOT_BE_RATED as error:
            failed += 1
            _log.exception("invoices.tenant_failed", tenant=due.tenant.id)
            await set_failed(connection, due.tenant.id, run_id, str(error) or repr(error))
    issued = await _close(connection, settings, closings, now)
    return Finalized(issued, len(closings) - issued, failed)


async def open_questions(
    connection: AsyncConnection, settings: Settings, coming: Sequence[Unbilled], now: datetime
) -> list[TaxQuestion]:
    """Return what the tax service must be asked before these periods can be closed.

    A period that can't be rated has no question: closing it records why.
    """
    context = await load_context(connection, coming, now, settings)
    rules = await tax_rules(connection, settings, TaxAnswers())
    questions = []
    for due in coming:
        try:
            _taxed(await draft(connection, due, context), rules)
        except TaxQuestionOpen as open_still:
            questions.append(open_still.question)
        except CAN_NOT_BE_RATED:
            continue
    return questions


async def finalize(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: str,
    invoice_id: str,
    now: datetime,
    answers: TaxAnswers | None = None,
    *,
    by: Principal | None = None,
) -> str | None:
    """Finalize a draft before its grace is over; return the invoice's id.

    ``by`` is whose act it is: the audit has it, once.

    Finalizing again returns the same id. Returns None if the draft asked for nothing and its period
    was closed without an invoice. Raises ``NotFound``; ``Conflict`` while the period runs; and
    ``TaxQuestionOpen`` or ``TaxNotKnown`` where ``answers`` lack what the tax service says.
    """
    due = await unbilled(connection, tenant_id, lock=True)
    if due is None or due.draft_id != invoice_id:
        final = select(invoices.c.id).where(
            invoices.c.tenant_id == tenant_id, invoices.c.id == invoice_id
        )
        if await connection.scalar(final) is None:
            raise InvoiceNotFound()
        return invoice_id
    if due.period.end > now:
        raise BillingPeriodOpen()
    context = await load_context(connection, [due], now, settings)
    rules = await tax_rules(connection, settings, answers or TaxAnswers())
    closing = _taxed(await draft(connection, due, context), rules)
    issued = await _close(connection, settings, [closing], now)
    if by is not None:
        await record(connection, by, "invoice.finalize", invoice_id, tenant_id=tenant_id)
    return invoice_id if issued else None


async def bill_progress(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: str,
    now: datetime,
    answers: TaxAnswers | None = None,
    *,
    invoice_id: str | None = None,
) -> str | None:
    """Invoice a running period in part: past the tenant's threshold, or for fees in advance.

    A tenant whose subscription has ended, and the grace after it, is invoiced for all, so that it
    need not wait for the period's end. Returns the invoice's id (a new one unless ``invoice_id`` is
    given), or None if there was no reason. What it asks for is taken off the invoice that closes
    the period. Raises as ``finalize`` does where the tax is not known.
    """
    running = await unbilled(connection, tenant_id, lock=True)
    if running is None or not running.period.start <= now < running.period.end:
        return None
    threshold = running.profile.terms.progressive_threshold
    context = await load_context(connection, [running], now, settings)
    if is_rated_elsewhere(context.elsewhere, tenant_id, running.period):
        return None
    left = bool(await tenants_that_left(connection, settings, now, tenant_id))
    lines = await period_lines(
        connection, running.tenant, running.period, plain=True, so_far=None if left else now
    )
    ahead = await unbilled_in_advance(connection, tenant_id, running.period, lines)
    lines += less_invoiced_before(period_of(running.period), context.before.get(tenant_id, ()))
    total = total_of(lines)
    passed = threshold is not None and total >= threshold
    due = total != 0 if left else passed or (ahead > 0 and total > 0)
    if not lines or not due or not worth_invoicing(lines):
        return None
    new = invoice_id or new_id("inv")
    kind, day = InvoiceKind.PROGRESSIVE, day_at(now, running.period)
    part = Untaxed(new, kind, running.tenant, running.profile, running.period, lines, day)
    rules = await tax_rules(connection, settings, answers or TaxAnswers())
    await issue(connection, settings, [ToIssue(part, rules.decide(part))], now)
    await pay_from_taxed_credit(connection, settings, running.tenant, new, now)
    await set_problem(connection, tenant_id, None)
    return new


@dataclass(frozen=True, slots=True)
class _Closing:
    """A draft, and the invoice that it becomes: None if it asks for nothing."""

    draft: Draft
    invoice: ToIssue | None


def _taxed(draft: Draft, rules: TaxRules) -> _Closing:
    worth = worth_invoicing(draft.lines)
    if not worth and not may_be_taxed_only(draft.lines):
        return _Closing(draft, None)
    untaxed = untaxed_draft(draft)
    tax = rules.decide(untaxed)
    if not worth and not any(each.amount.amount for each in tax.taxes):
        return _Closing(draft, None)
    return _Closing(draft, ToIssue(untaxed, tax, net_days=draft.net_days))


async def _close(
    connection: AsyncConnection, settings: Settings, closings: Sequence[_Closing], now: datetime
) -> int:
    """Issue the invoices that ask for something, move every cursor; return how many were issued."""
    wanted = [closing.invoice for closing in closings if closing.invoice is not None]
    await issue(connection, settings, wanted, now)
    for invoice in wanted:
        await pay_from_taxed_credit(connection, settings, invoice.of.tenant, invoice.of.id, now)
    taken = ((to.of.tenant.id, to.of.id, to.of.lines) for to in wanted)
    await take_items(connection, taken)
    await keep_marks(connection, [mark for closing in closings for mark in closing.draft.marks])
    closed = [closing.draft.of for closing in closings]
    await apply_to_parts(connection, closed, now)
    await close_credit(connection, [(due.tenant, due.period) for due in closed], now)
    await move_on(connection, closed)
    return len(wanted)
