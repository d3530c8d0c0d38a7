"""The events behind an invoice's line: those that its charge prices, by the rating's own rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
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

from backend.errors import InvalidInput, NotFound
from backend.kit.pages import Cursor, page_of
from backend.pricing.charges.rate_card import FALLBACK_METERS, RateCard
from backend.pricing.charges.windows import WindowedTime, cut_at_windows
from backend.pricing.periods import BillingPeriod
from backend.storage.tables import event_archives, events
from backend.subscriptions.stretches import plan_stretches
from backend_client.types.charges import FlatCharge, UsageCharge
from backend_client.types.invoices import Invoice, LineEvent, LineEvents
from backend_client.types.plans import PlanDefinition
from backend_client.types.problems import FieldError

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class _Origin:
    """When a line's plan version applied, and how it prices."""

    spans: Sequence[WindowedTime]
    plan: PlanDefinition
    charge: UsageCharge
    card: RateCard

    def made(self, row: RowMapping) -> bool:
        """Tell whether an event in ``spans`` has a quantity that the charge prices."""
        named = {name for charge in self.plan.charges for name in getattr(charge, "labels", ())}
        labels = tuple(sorted((k, v) for k, v in row["labels"].items() if k in named))
        window = next(
            (span.window for span in self.spans if span.start <= row["time"] < span.end), None
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
    charge prices: what it asks for is the difference that all of them make. Raises ``NotFound``
    for a line that the invoice does not have.
    """
    line = next((line for line in invoice.lines if line.line == line_number), None)
    if line is None:
        raise NotFound("The invoice has no such line.")
    period = BillingPeriod(line.period.start, line.period.end, line.period.time_zone)
    item = None if line.charge is None else line.charge.charge_id
    wanted = (line.plan, line.plan_version, item)
    if line.charge is not None:
        # The part of the period that the line is of: a trial has lines of its own
        period = replace(period, start=line.charge.start, end=line.charge.end)
    origin = await _origin(connection, tenant_id, period, wanted)
    if origin is None:
        return LineEvents(items=[])
    found: list[LineEvent] = []
    after = None if cursor is None else _after(cursor)
    while len(found) <= limit:
        query = _query(tenant_id, origin, after)
        rows = (await connection.execute(query)).mappings().all()
        found += [_event(row) for row in rows if origin.made(row)]
        if len(rows) < _CHUNK:
            break
        after = (rows[-1]["time"], rows[-1]["source"], rows[-1]["id"])
    page = page_of(found, limit, _sort_key)
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
            event_archives.c.start_at < max(one.end for one in origin.spans),
            event_archives.c.end_at > min(one.start for one in origin.spans),
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
    charge = next((one for one in plan.charges if one.id == charge_id), None)
    if charge is None or isinstance(charge, FlatCharge):
        return None
    spans = [
        span
        for stretch in stretches
        for span in cut_at_windows(plan, stretch.start, stretch.end)
        if charge.window is None or span.window == charge.window
    ]
    return _Origin(spans, plan, charge, RateCard(plan))


def _query(tenant_id: str, origin: _Origin, after: tuple[Any, ...] | None) -> Select[Any]:
    """Ask for events that may be behind the line; the rate card has the last word."""
    spans = (
        func.unnest(
            bindparam("starts", [one.start for one in origin.spans], ARRAY(DateTime(True))),
            bindparam("ends", [one.end for one in origin.spans], ARRAY(DateTime(True))),
        )
        .table_valued(column("start_at", DateTime(True)), column("end_at", DateTime(True)))
        .render_derived(name="span")
    )
    # A meter falls back on another's charge
    meters = set(origin.charge.meters)
    meters |= {meter for meter, other in FALLBACK_METERS.items() if other in meters}
    query = (
        select(events)
        .join(spans, and_(events.c.time >= spans.c.start_at, events.c.time < spans.c.end_at))
        .where(
            events.c.tenant_id == tenant_id,
            ~events.c.voided,
            events.c.time >= min(one.start for one in origin.spans),
            events.c.time < max(one.end for one in origin.spans),
            events.c.quantities.has_any(bindparam("meters", sorted(meters), ARRAY(Text))),
        )
        .order_by(events.c.time, events.c.source, events.c.id)
        .limit(_CHUNK)
    )
    if origin.charge.models is not None:
        query = query.where(events.c.model.in_(origin.charge.models))
    if after is not None:
        query = query.where(tuple_(events.c.time, events.c.source, events.c.id) > after)
    return query


def _event(row: RowMapping) -> LineEvent:
    return LineEvent(
        id=row["id"],
        source=row["source"],
        time=row["time"],
        received_at=row["received_at"],
        application=row["application_id"],
        key=row["key_id"] or None,
        model=row["model"],
        quantities=row["quantities"],
        labels=row["labels"],
    )


def _sort_key(one: LineEvent) -> str:
    return " ".join([one.time.isoformat(), quote(one.source), quote(one.id)])


def _after(cursor: str) -> tuple[datetime, str, str]:
    try:
        time, source, event_id = Cursor.read(cursor).split(" ")
        return datetime.fromisoformat(time), unquote(source), unquote(event_id)
    except ValueError:
        raise InvalidInput(
            "The cursor is not one that a page gave.",
            errors=[FieldError(field="cursor", detail="use next_cursor of the page before")],
        ) from None
