"""Gathers what a month is divided from: its invoices, who used what, what was divided before."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.chargeback.entries import entries_about, entries_of, posted_documents
from backend.chargeback.from_rows import credit_note_document, draft_document, invoice_document
from backend.chargeback.months import Month, Months
from backend.chargeback.rules.allocation import Allocation
from backend.chargeback.rules.documents import CostDocument, Entry
from backend.chargeback.rules.timeline import Timeline
from backend.chargeback.rules.usage import PeriodUsage, UsageCell, period_usage
from backend.chargeback.uninvoiced import invoiced_starts, uninvoiced_document, uninvoiced_id
from backend.invoices.drafts.drafting import draft, load_context, period_lines
from backend.invoices.drafts.late_usage import usage_marks
from backend.invoices.drafts.previewing import LOOKS_BACK
from backend.metering.queries.rated_usage import attributed_usage
from backend.pricing.charges.windows import cut_at_windows
from backend.pricing.periods import BillingPeriod
from backend.settings import Settings
from backend.storage.tables import credit_notes, invoice_lines, invoices
from backend.subscriptions.stretches import plan_stretches
from backend_client.types.accounts import Tenant
from backend_client.types.chargeback import MonthState


@dataclass(frozen=True, slots=True)
class Divided:
    """A month's entries. ``marks`` are of the usage that they were divided by, for a close."""

    entries: Sequence[Entry]
    marks: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Sources:
    documents: Sequence[CostDocument]
    taken_back: Sequence[str] = ()


async def divide(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    months: Months,
    month: Month,
    timeline: Timeline,
    now: datetime,
) -> Divided:
    """Return the parts of a month's invoices: as they were closed, or as they are now."""
    if month.closed is not None:
        return Divided(await entries_of(connection, tenant.id, month.period.start))
    carries = months.carries(month)
    earlier = [closed.period for closed in months.closed] if carries else []
    sources = await _sources(connection, settings, tenant, months, month, earlier, now)
    # Ingest refuses events that are older; one more day is for events under way
    oldest = now - timedelta(days=settings.event_max_age_days + 1)
    reachable = [period for period in earlier if period.end >= oldest]
    marks = await _marks(connection, tenant, [*reachable, month.period])
    moved = _changed(months, marks) if carries else []
    periods = {period.start: period for period in [*earlier, month.period]}
    about = {line.key.start: line.key.end for own in sources.documents for line in own.lines}
    for start in sorted(about.keys() - periods.keys()):
        periods[start] = BillingPeriod(start, about[start], month.period.time_zone)
    concerned = [periods[start] for start in sorted(about.keys() | set(moved))]
    usage = await _usage(connection, tenant, timeline, concerned)
    posted: list[Entry] = []
    if carries:
        starts = {period.start for period in concerned}
        posted = await entries_about(connection, tenant.id, starts, sources.taken_back)
    for open_month in months.all:
        # Late usage is borne by who used it, which the division of its own month tells
        start = open_month.period.start
        if start in about and start != month.period.start and open_month.closed is None:
            own = await divide(connection, settings, tenant, months, open_month, timeline, now)
            posted += own.entries
    allocation = Allocation(month.period.start, tenant.currency, timeline, usage, posted)

    def allocate() -> None:
        for document_id in sources.taken_back:
            allocation.take_back(document_id)
        for document in sources.documents:
            allocation.add(_with_fees(document, usage))
        allocation.move_within(moved)

    # A thousand cost centers take seconds, in which the process answers others
    await asyncio.to_thread(allocate)
    return Divided(allocation.entries, marks)


async def _sources(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    months: Months,
    month: Month,
    earlier: Sequence[BillingPeriod],
    now: datetime,
) -> _Sources:
    """Return the documents of a month, and those of closed months that it has to bear."""
    starts = [month.period.start, *(period.start for period in earlier)]
    posted = await posted_documents(connection, tenant.id) if earlier else set()
    query = (
        select(invoices)
        .where(
            invoices.c.tenant_id == tenant.id,
            invoices.c.period_start.in_(starts),
            # What they pay is divided as it is used
            invoices.c.kind.not_in(("top_up", "instalment")),
        )
        .order_by(invoices.c.issued_at, invoices.c.id)
    )
    rows = (await connection.execute(query)).mappings().all()
    valid = [row for row in rows if row["voided_at"] is None and row["replaced_by"] is None]
    valid_ids = {row["id"] for row in valid}
    taken_back = [row["id"] for row in rows if row["id"] in posted and row["id"] not in valid_ids]
    taken_back += await _invoiced_since(connection, tenant.id, posted, earlier)
    notes = [
        note
        for note in await _credit_notes(connection, tenant.id, valid_ids)
        if note["id"] not in posted
    ]
    wanted = (valid_ids - posted) | {note["invoice_id"] for note in notes}
    lines = await _lines(connection, tenant.id, wanted)
    by_id = {
        row["id"]: invoice_document(row, lines.get(row["id"], ()))
        for row in valid
        if row["id"] in wanted
    }
    documents = [
        (row["issued_at"], row["id"], by_id[row["id"]]) for row in valid if row["id"] not in posted
    ]
    documents += [
        (note["issued_at"], note["id"], credit_note_document(note, by_id[note["invoice_id"]]))
        for note in notes
    ]
    in_order = [document for _, _, document in sorted(documents, key=lambda dated: dated[:2])]
    if month.state is MonthState.RUNNING:
        in_order += await _running(connection, settings, tenant, months, month, now)
    elif all(row["period_start"] != month.period.start for row in rows):
        instead = await uninvoiced_document(connection, tenant, month.period)
        in_order += [instead] if instead is not None else []
    return _Sources(in_order, taken_back)


async def _invoiced_since(
    connection: AsyncConnection,
    tenant_id: str,
    posted: Collection[str],
    earlier: Sequence[BillingPeriod],
) -> list[str]:
    """Return what closed months bear in place of an invoice that asks for it since."""
    instead = {
        period.start: uninvoiced_id(period.start)
        for period in earlier
        if uninvoiced_id(period.start) in posted
    }
    if not instead:
        return []
    since = await invoiced_starts(connection, tenant_id, instead.keys())
    return [document for start, document in instead.items() if start in since]


async def _lines(
    connection: AsyncConnection, tenant_id: str, invoice_ids: Collection[str]
) -> dict[str, list[RowMapping]]:
    query = (
        select(invoice_lines)
        .where(invoice_lines.c.tenant_id == tenant_id, invoice_lines.c.invoice_id.in_(invoice_ids))
        .order_by(invoice_lines.c.line)
    )
    lines: dict[str, list[RowMapping]] = {}
    for row in (await connection.execute(query)).mappings():
        lines.setdefault(row["invoice_id"], []).append(row)
    return lines


async def _credit_notes(
    connection: AsyncConnection, tenant_id: str, invoice_ids: Collection[str]
) -> Sequence[RowMapping]:
    query = select(credit_notes).where(
        credit_notes.c.tenant_id == tenant_id, credit_notes.c.invoice_id.in_(invoice_ids)
    )
    return (await connection.execute(query)).mappings().all()


async def _running(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    months: Months,
    month: Month,
    now: datetime,
) -> list[CostDocument]:
    """Return what a month that runs would be invoiced at, without tax; nothing if nothing is."""
    coming = months.unbilled
    if coming is not None and coming.period.start == month.period.start:
        context = await load_context(connection, [coming], now, settings, looking_back=LOOKS_BACK)
        lines = (await draft(connection, coming, context)).lines
        document_id = coming.draft_id
    else:
        # The one before is not invoiced yet, so nothing is late, nor invoiced in part
        lines = await period_lines(connection, tenant, month.period, plain=True)
        document_id = "running"
    return [draft_document(document_id, month.period, lines)] if lines else []


async def _usage(
    connection: AsyncConnection,
    tenant: Tenant,
    timeline: Timeline,
    periods: Sequence[BillingPeriod],
) -> dict[datetime, PeriodUsage]:
    """Return who used what in each period, by plan version and policy: in one query."""
    cells = []
    times = []
    labels: set[str] = set()
    for period in periods:
        for stretch in await plan_stretches(connection, tenant.id, period):
            labels |= set() if stretch.plan is None else set(stretch.plan.priced_labels)
            for reign in timeline.over(stretch.start, stretch.end):
                cells.append((period.start, stretch.plan, stretch.plan_version, reign))
                times.append(cut_at_windows(stretch.plan, reign.start, reign.end))
                labels |= reign.labels
    usage = await attributed_usage(connection, tenant.id, times, labels)
    by_period: dict[datetime, list[UsageCell]] = {period.start: [] for period in periods}
    for (start, plan, version, reign), used in zip(cells, usage, strict=True):
        by_period[start].append(UsageCell(plan, version, reign, used))
    return {start: period_usage(own) for start, own in by_period.items()}


async def _marks(
    connection: AsyncConnection, tenant: Tenant, periods: Sequence[BillingPeriod]
) -> dict[str, str]:
    windows = [(tenant.id, period.start, period.end) for period in periods]
    marks = await usage_marks(connection, windows)
    return {start.isoformat(): mark for (_, start), mark in marks.items()}


def _changed(months: Months, marks: dict[str, str]) -> list[datetime]:
    """Return the starts of closed periods whose usage is not what it was divided by last."""
    known_marks: dict[str, str] = {}
    for month in months.closed:
        if month.closed is not None:
            known_marks |= month.closed["usage_marks"]
    return [
        month.period.start
        for month in months.closed
        if (start := month.period.start.isoformat()) in marks
        and marks[start] != known_marks.get(start)
    ]


def _with_fees(document: CostDocument, usage: dict[datetime, PeriodUsage]) -> CostDocument:
    """Return a document in which lines that don't say themselves what they are know their fees."""
    return document.with_fees(
        lambda key: (
            key.start in usage
            and usage[key.start].is_flat(key.item.plan, key.item.plan_version, key.item.item)
        )
    )
