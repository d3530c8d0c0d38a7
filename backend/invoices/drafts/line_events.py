"""The events behind an invoice's line: those that its charge prices, by the rule of rating."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

from sqlalchemy import (
    DateTime,
    RowMapping,
    Select,
    Text,
    and_,
    bindparam,
    column,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.invoices.errors import InvoiceLineNotFound
from backend.kit.errors import InvalidCursor
from backend.kit.pages import Cursor, page_of
from backend.pricing.charges.rate_card import RateCard, parts_of
from backend.pricing.charges.windows import WindowedTime, cut_at_windows
from backend.pricing.periods import BillingPeriod
from backend.storage.tables import event_archives, events
from backend.subscriptions.stretches import plan_stretches
from backend_client.types.charges import FlatCharge, UsageCharge
from backend_client.types.invoices import Invoice, LineEvent, LineEvents
from backend_client.types.plans import PlanDefinition

_CHUNK = 500
_KEY = (events.c.time, events.c.source, events.c.id, events.c.sender)
_Place: TypeAlias = tuple[datetime, str, str, str]


@dataclass(frozen=True, slots=True)
class _Origin:
    """The times at which a line's plan version applied, and how it prices."""

    times: Sequence[WindowedTime]
    plan: PlanDefinition
    charge: UsageCharge
    card: RateCard

    def prices(self, row: RowMapping) -> bool:
        """Return whether the charge prices a quantity of an event that is in ``times``."""
        named = {name for charge in self.plan.charges for name in getattr(charge, "labels", ())}
        labels = tuple(sorted((k, v) for k, v in row["labels"].items() if k in named))
        window = next(
            (time.window for time in self.times if time.start <= row["time"] < time.end), None
        )
        return any(
            self.card.charge_for(row["model"], meter, window, labels) == self.charge
            for meter in row["quantities"]
        )


async def line_events(
    connection: AsyncConnection,
    tenant_id: str,
    invoice: Invoice,
    line_number: int,
    *,
    cursor: str | None,
    limit: int,
) -> LineEvents:
    """Return a page of the events behind a line, in the order of their time.

    Fees and adjustments have none. A line of late usage has all events of its period that the
    charge prices, since it asks for the difference that all of them make. Raises ``NotFound``
    for a line that the invoice does not have.
    """
    line = next((line for line in invoice.lines if line.line == line_number), None)
    if line is None:
        raise InvoiceLineNotFound()
    period = BillingPeriod(line.period.start, line.period.end, line.period.time_zone)
    item = None if line.charge is None else line.charge.charge_id
    wanted = (line.plan, line.plan_version, item)
    if line.charge is not None:
        # The line's part of the period: a trial has lines of its own
        period = replace(period, start=line.charge.start, end=line.charge.end)
    origin = await _origin(connection, tenant_id, period, wanted)
    if origin is None:
        return LineEvents(items=[])
    items: list[LineEvent] = []
    after = None if cursor is None else _after(cursor)
    while len(items) <= limit:
        query = _query(tenant_id, origin, after)
        rows = (await connection.execute(query)).mappings().all()
        items += [_event(row) for row in rows if origin.prices(row)]
        if len(rows) < _CHUNK:
            break
        after = _place(rows[-1])
    page = page_of(items, limit, _sort_key)
    archived = await _archived_days(connection, tenant_id, origin)
    return LineEvents(items=page.items, next_cursor=page.next_cursor, archived_days=archived)


async def _archived_days(
    connection: AsyncConnection, tenant_id: str, origin: _Origin
) -> list[date]:
    query = (
        select(event_archives.c.start_at)
        .distinct()
        .where(
            event_archives.c.tenant_id == tenant_id,
            event_archives.c.restored_at.is_(None),
            event_archives.c.start_at < max(time.end for time in origin.times),
            event_archives.c.end_at > min(time.start for time in origin.times),
        )
        .order_by(event_archives.c.start_at)
    )
    return [start.astimezone(UTC).date() for start in await connection.scalars(query)]


async def _origin(
    connection: AsyncConnection,
    tenant_id: str,
    period: BillingPeriod,
    wanted: tuple[str | None, int | None, str | None],
) -> _Origin | None:
    plan_id, version, charge_id = wanted
    stretches = [
        stretch
        for stretch in await plan_stretches(connection, tenant_id, period)
        if stretch.plan is not None
        and (stretch.plan.id, stretch.plan_version) == (plan_id, version)
    ]
    plan = stretches[0].plan if stretches else None
    if plan is None:
        return None
    charge = next((listed for listed in plan.charges if listed.id == charge_id), None)
    if charge is None or isinstance(charge, FlatCharge):
        return None
    times = [
        time
        for stretch in stretches
        for time in cut_at_windows(plan, stretch.start, stretch.end)
        if charge.window is None or time.window == charge.window
    ]
    return _Origin(times, plan, charge, RateCard(plan))


def _query(tenant_id: str, origin: _Origin, after: tuple[Any, ...] | None) -> Select[Any]:
    """Select events that may be behind the line; the rate card decides."""
    times = (
        func.unnest(
            bindparam("starts", [time.start for time in origin.times], ARRAY(DateTime(True))),
            bindparam("ends", [time.end for time in origin.times], ARRAY(DateTime(True))),
        )
        .table_valued(column("start_at", DateTime(True)), column("end_at", DateTime(True)))
        .render_derived(name="wanted")
    )
    # A meter may be priced by another meter's charge
    meters = set(origin.charge.meters)
    meters |= {part for meter in origin.charge.meters for part in parts_of(meter)}
    query = (
        select(events)
        .join(times, and_(events.c.time >= times.c.start_at, events.c.time < times.c.end_at))
        .where(
            events.c.tenant_id == tenant_id,
            ~events.c.voided,
            events.c.time >= min(time.start for time in origin.times),
            events.c.time < max(time.end for time in origin.times),
            events.c.quantities.has_any(bindparam("meters", sorted(meters), ARRAY(Text))),
        )
        .order_by(*_KEY)
        .limit(_CHUNK)
    )
    if origin.charge.models is not None:
        query = query.where(events.c.model.in_(origin.charge.models))
    if after is not None:
        query = query.where(tuple_(*_KEY) > after)
    return query


def _place(row: RowMapping) -> _Place:
    return row["time"], row["source"], row["id"], row["sender"]


def _event(row: RowMapping) -> LineEvent:
    return LineEvent(
        id=row["id"],
        sender=row["sender"],
        source=row["source"],
        time=row["time"],
        received_at=row["received_at"],
        application=row["application_id"],
        key=row["key_id"] or None,
        model=row["model"],
        quantities=row["quantities"],
        labels=row["labels"],
    )


def _sort_key(event: LineEvent) -> str:
    parts = [event.time.isoformat(), quote(event.source), quote(event.id), event.sender]
    return " ".join(parts)


def _after(cursor: str) -> _Place:
    try:
        time, source, event_id, sender = Cursor.read(cursor).split(" ")
        return datetime.fromisoformat(time), unquote(source), unquote(event_id), sender
    except ValueError:
        raise InvalidCursor() from None
