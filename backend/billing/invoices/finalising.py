"""Finalise drafts: each period of each tenant once, whoever asks and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.billing.invoices.composing import (
    less_invoiced_before,
    total_of,
    worth_invoicing,
)
from backend.billing.invoices.cursors import Unbilled, move_on, set_failed, unbilled
from backend.billing.invoices.drafting import Draft, Ground, draft, ground, period_lines, period_of
from backend.billing.invoices.issuing import ToIssue, issue
from backend.billing.invoices.late_usage import keep_marks
from backend.errors import Conflict, FareboxError, NotFound
from backend.ids import new_id
from backend.settings import Settings
from backend.storage.tables import invoices
from backend_client.types.invoices import InvoiceKind

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Finalised:
    """What became of the drafts: numbers of periods, and of tenants that could not be billed."""

    invoiced: int = 0
    nothing_to_bill: int = 0
    failed: int = 0


async def finalise_all(
    connection: AsyncConnection,
    settings: Settings,
    claimed: Sequence[Unbilled],
    now: datetime,
    run_id: str,
) -> Finalised:
    """Close the period of each tenant that is claimed, in the caller's transaction.

    A tenant that can't be rated is left as it is, with the reason, and keeps no other from its
    invoice.
    """
    if not claimed:
        return Finalised()
    known = await ground(connection, claimed, now, settings)
    drafts: list[Draft] = []
    failed = 0
    for one in claimed:
        try:
            drafts.append(await draft(connection, one, known, now))
        except (FareboxError, ValueError, ArithmeticError, LookupError) as error:
            failed += 1
            _log.exception("invoices.tenant_failed", tenant=one.tenant.id)
            await set_failed(connection, one.tenant.id, run_id, str(error) or repr(error))
    issued = await _close(connection, settings, drafts, now)
    return Finalised(issued, len(drafts) - issued, failed)


async def finalise(
    connection: AsyncConnection, settings: Settings, tenant_id: str, invoice_id: str, now: datetime
) -> str | None:
    """Finalise a draft before its grace is over; return the invoice's id.

    Finalising again returns the same. None if the draft asked for nothing and its period was
    closed without an invoice. Raises ``NotFound``, or ``Conflict`` while the period runs.
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
    made = await draft(connection, one, known, now)
    return invoice_id if await _close(connection, settings, [made], now) else None


async def bill_progress(
    connection: AsyncConnection, settings: Settings, tenant_id: str, now: datetime
) -> str | None:
    """Invoice a running period in part if what is unbilled has passed the tenant's threshold.

    Returns the invoice's id, or None if there was no reason. What it asks for is taken off the
    invoice that closes the period.
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
    invoice_id = new_id("inv")
    made = ToIssue(invoice_id, InvoiceKind.PROGRESSIVE, one.tenant, one.profile, one.period, lines)
    await issue(connection, settings, [made], now)
    return invoice_id


async def _close(
    connection: AsyncConnection, settings: Settings, drafts: Sequence[Draft], now: datetime
) -> int:
    """Issue what is worth it, and move on from all; return how many invoices there are."""
    wanted = [
        ToIssue(
            one.of.draft_id,
            InvoiceKind.PERIOD,
            one.of.tenant,
            one.of.profile,
            one.of.period,
            one.lines,
            net_days=one.net_days,
        )
        for one in drafts
        if worth_invoicing(one.lines)
    ]
    await issue(connection, settings, wanted, now)
    await keep_marks(connection, [mark for one in drafts for mark in one.marks])
    await move_on(connection, [one.of for one in drafts])
    return len(wanted)
