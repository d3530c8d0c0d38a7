"""Finalize drafts: each period of each tenant once, whoever asks and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.errors import Conflict, FareboxError, NotFound, TaxNotKnown
from backend.ids import new_id
from backend.invoices.billing_cursors import (
    Unbilled,
    move_on,
    set_failed,
    set_problem,
    unbilled,
)
from backend.invoices.drafting import (
    Draft,
    Ground,
    draft,
    ground,
    period_lines,
    period_of,
    untaxed_draft,
)
from backend.invoices.issuing import ToIssue, issue
from backend.invoices.late_usage import keep_marks
from backend.invoices.rules.lines import (
    less_invoiced_before,
    total_of,
    worth_invoicing,
)
from backend.invoices.taxing.answers import CHANGED, TaxAnswers, TaxQuestionOpen
from backend.invoices.taxing.deciding import TaxRules, tax_rules
from backend.invoices.taxing.untaxed import Untaxed, day_at
from backend.settings import Settings
from backend.storage.tables import invoices
from backend.wallets.bills import close_credit
from backend_client.types.invoices import InvoiceKind
from backend_client.types.tax_service import TaxQuestion

_log = structlog.get_logger(__name__)

_CAN_NOT_BE_RATED = (FareboxError, ValueError, ArithmeticError, LookupError)


@dataclass(frozen=True, slots=True)
class Finalized:
    """What became of the drafts: numbers of periods, and of tenants that could not be billed."""

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
    """Close the period of each tenant that is claimed, in the caller's transaction.

    A tenant that can't be rated, or whose tax is not known, is left as it is, with the reason, and
    keeps no other from its invoice. One whose lines are not those that the tax service was asked
    about is left without: it is to be asked again.
    """
    if not claimed:
        return Finalized()
    known = await ground(connection, claimed, now, settings)
    rules = await tax_rules(connection, settings, answers)
    closings: list[_Closing] = []
    failed = 0
    for one in claimed:
        try:
            closings.append(_taxed(await draft(connection, one, known, now), rules))
        except TaxQuestionOpen:
            if not answers.changed(one.draft_id):
                failed += 1
                await set_failed(connection, one.tenant.id, run_id, CHANGED)
        except TaxNotKnown as error:
            failed += 1
            await set_failed(connection, one.tenant.id, run_id, error.detail)
        except _CAN_NOT_BE_RATED as error:
            failed += 1
            _log.exception("invoices.tenant_failed", tenant=one.tenant.id)
            await set_failed(connection, one.tenant.id, run_id, str(error) or repr(error))
    issued = await _close(connection, settings, closings, now)
    return Finalized(issued, len(closings) - issued, failed)


async def open_questions(
    connection: AsyncConnection, settings: Settings, coming: Sequence[Unbilled], now: datetime
) -> list[TaxQuestion]:
    """Return what the tax service must be asked before these periods can be closed.

    What can't be rated has no question: closing it says why.
    """
    known = await ground(connection, coming, now, settings)
    rules = await tax_rules(connection, settings, TaxAnswers())
    questions = []
    for one in coming:
        try:
            _taxed(await draft(connection, one, known, now), rules)
        except TaxQuestionOpen as open_still:
            questions.append(open_still.question)
        except _CAN_NOT_BE_RATED:
            continue
    return questions


async def finalize(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: str,
    invoice_id: str,
    now: datetime,
    answers: TaxAnswers | None = None,
) -> str | None:
    """Finalize a draft before its grace is over; return the invoice's id.

    Finalizing again returns the same. None if the draft asked for nothing and its period was
    closed without an invoice. Raises ``NotFound``, ``Conflict`` while the period runs, and
    ``TaxQuestionOpen`` or ``TaxNotKnown`` where ``answers`` lack what the tax service says.
    """
    one = await unbilled(connection, tenant_id, lock=True)
    if one is None or one.draft_id != invoice_id:
        final = select(invoices.c.id).where(
            invoices.c.tenant_id == tenant_id, invoices.c.id == invoice_id
        )
        if await connection.scalar(final) is None:
            raise NotFound("There is no such invoice.")
        return invoice_id
    if one.period.end > now:
        raise Conflict("This billing period is not over; its invoice can't be final yet.")
    known = await ground(connection, [one], now, settings)
    rules = await tax_rules(connection, settings, answers or TaxAnswers())
    made = _taxed(await draft(connection, one, known, now), rules)
    return invoice_id if await _close(connection, settings, [made], now) else None


async def bill_progress(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: str,
    now: datetime,
    answers: TaxAnswers | None = None,
    *,
    invoice_id: str | None = None,
) -> str | None:
    """Invoice a running period in part if what is unbilled has passed the tenant's threshold.

    Returns the invoice's id (a new one unless it is given), or None if there was no reason. What
    it asks for is taken off the invoice that closes the period. Raises as ``finalize`` does where
    the tax is not known.
    """
    one = await unbilled(connection, tenant_id, lock=True)
    threshold = one.profile.terms.progressive_threshold if one is not None else None
    if one is None or threshold is None or not one.period.start <= now < one.period.end:
        return None
    known: Ground = await ground(connection, [one], now, settings)
    lines = await period_lines(connection, one.tenant, one.period, now, plain=True)
    lines += less_invoiced_before(period_of(one.period), known.before.get(tenant_id, ()))
    if not lines or total_of(lines) < threshold or not worth_invoicing(lines):
        return None
    new = invoice_id or new_id("inv")
    kind, day = InvoiceKind.PROGRESSIVE, day_at(now, one.period)
    part = Untaxed(new, kind, one.tenant, one.profile, one.period, lines, day)
    rules = await tax_rules(connection, settings, answers or TaxAnswers())
    await issue(connection, settings, [ToIssue(part, rules.decide(part))], now)
    await set_problem(connection, tenant_id, None)
    return new


@dataclass(frozen=True, slots=True)
class _Closing:
    """A draft, and the invoice that it becomes: None if it asks for nothing."""

    draft: Draft
    invoice: ToIssue | None


def _taxed(made: Draft, rules: TaxRules) -> _Closing:
    if not worth_invoicing(made.lines):
        return _Closing(made, None)
    untaxed = untaxed_draft(made)
    return _Closing(made, ToIssue(untaxed, rules.decide(untaxed), net_days=made.net_days))


async def _close(
    connection: AsyncConnection, settings: Settings, closings: Sequence[_Closing], now: datetime
) -> int:
    """Issue what is worth it, and move on from all; return how many invoices there are."""
    wanted = [one.invoice for one in closings if one.invoice is not None]
    await issue(connection, settings, wanted, now)
    await keep_marks(connection, [mark for one in closings for mark in one.draft.marks])
    closed = [one.draft.of for one in closings]
    await close_credit(connection, [(one.tenant, one.period) for one in closed], now)
    await move_on(connection, closed)
    return len(wanted)
