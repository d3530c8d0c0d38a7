"""Compares the usage that a platform counted with ours, meter by meter, by the hour or day."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeAlias

from sqlalchemy import RowMapping, Text, all_, exists, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.platforms.adapter import Adapter
from backend.platforms.drift import Difference, open_subjects, record_drift
from backend.platforms.remote_ids import remote_customer
from backend.storage.database import Database
from backend.storage.tables import platform_dispatches as dispatches
from backend.storage.tables import platform_objects
from backend_client.types.common import plain

_USAGE_OF: Final = timedelta(days=35)
"""How far back a platform's sums are read."""
_LENGTH: Final = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_SHOWN: Final = {"hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d"}
_NOT_THERE: Final = "The platform took it, and does not have it: replay it."
_Counted: TypeAlias = dict[tuple[str, datetime], Decimal]

_SUMS: Final = text(
    """
    WITH used AS (
        SELECT date_trunc(:grain, bucket, 'UTC') AS at, meter, model, sum(quantity) AS quantity
        FROM rollups WHERE tenant_id = :tenant_id AND bucket >= :start AND bucket < :end
        GROUP BY 1, 2, 3
    ), queued AS (
        SELECT date_trunc(:grain, bucket, 'UTC') AS at, meter, model, sum(quantity) AS queued
        FROM platform_usage WHERE tenant_id = :tenant_id AND platform = :platform
          AND bucket >= :start AND bucket < :end
        GROUP BY 1, 2, 3
    ), dispatched AS (
        SELECT date_trunc(:grain, (data->>'bucket')::timestamptz, 'UTC') AS at,
            data->>'meter' AS meter, data->>'model' AS model,
            sum((data->>'quantity')::numeric) FILTER (WHERE state IN ('sent', 'confirmed')) AS sent,
            sum((data->>'quantity')::numeric) FILTER (WHERE state = 'waiting') AS waiting,
            sum((data->>'quantity')::numeric)
              FILTER (WHERE state IN ('refused', 'skipped')) AS refused,
            max(reason) FILTER (WHERE state IN ('refused', 'skipped')) AS reason,
            count(*) FILTER (WHERE state = 'sent') AS unconfirmed
        FROM platform_dispatches
        WHERE tenant_id = :tenant_id AND platform = :platform AND stream = 'usage'
          AND (data->>'bucket')::timestamptz >= :start AND (data->>'bucket')::timestamptz < :end
        GROUP BY 1, 2, 3
    )
    SELECT at, meter, model, coalesce(used.quantity, 0) AS ours,
        coalesce(queued.queued, 0) AS queued, coalesce(sent, 0) AS sent,
        coalesce(waiting, 0) AS waiting, coalesce(refused, 0) AS refused, reason,
        coalesce(unconfirmed, 0) AS unconfirmed
    FROM used FULL JOIN queued USING (at, meter, model)
      FULL JOIN dispatched USING (at, meter, model)
    ORDER BY at, meter, model
    """
)


async def verify_usage(
    database: Database, adapter: Adapter, row: RowMapping, now: datetime
) -> None:
    """Compare each closed day of each meter that the platform rates. Raises ``NotDelivered``."""
    platform, tenant_id = adapter.name, row["tenant_id"]
    today = _day(now)
    window_start = today - _USAGE_OF
    start = max(window_start, _day(row["starts_at"]))
    meters = select(platform_objects).where(
        platform_objects.c.tenant_id == tenant_id,
        platform_objects.c.platform == platform,
        platform_objects.c.kind == "meter",
    )
    async with database.begin() as connection:
        rated = (await connection.execute(meters)).mappings().all()
        customer = await remote_customer(connection, platform, tenant_id)
    names = {meter["own_id"]: meter["remote_id"] for meter in rated}
    theirs: _Counted = {}
    sums = await _sums(database, adapter, row, today)
    if customer is not None and start < today:
        for own_id, meter in names.items():
            counted = await adapter.read_usage(customer, meter, start, today)
            theirs |= {(own_id, at): quantity for at, quantity in counted.items()}
        less = _less_there(sums, theirs, window_start)
        lacking = {names[subject] for subject in less if subject in names}
        if await _refuse_missing(database, adapter, row, customer, lacking, start, today):
            sums = await _sums(database, adapter, row, today)
    async with database.begin() as connection:
        differing = await open_subjects(connection, platform, tenant_id, "usage")
        for of in sums:
            subject, there = _subject(of), theirs.get((_subject(of), of["at"]), Decimal(0))
            if subject not in names:
                continue
            differences = _compare(of, there, window_start)
            at = f"{of['at']:{_SHOWN[adapter.usage_grain]}} {subject}"
            if differences or at in differing:
                await record_drift(connection, platform, tenant_id, "usage", at, differences, now)
            if of["unconfirmed"] and not differences:
                end = of["at"] + _LENGTH[adapter.usage_grain]
                await _confirm(connection, platform, tenant_id, subject, of["at"], end, now)


async def _sums(
    database: Database, adapter: Adapter, row: RowMapping, today: datetime
) -> Sequence[RowMapping]:
    window = {
        "tenant_id": row["tenant_id"],
        "platform": adapter.name,
        "start": row["starts_at"],
        "end": today if row["ends_at"] is None else min(today, row["ends_at"]),
        "grain": adapter.usage_grain,
    }
    async with database.begin() as connection:
        return (await connection.execute(_SUMS, window)).mappings().all()


def _less_there(sums: Sequence[RowMapping], theirs: _Counted, window_start: datetime) -> set[str]:
    """Return of which meters the platform counts less somewhere than it took."""
    return {
        _subject(of)
        for of in sums
        if of["at"] >= window_start
        and theirs.get((_subject(of), of["at"]), Decimal(0)) < of["sent"]
    }


async def _refuse_missing(
    database: Database,
    adapter: Adapter,
    row: RowMapping,
    customer: str,
    meters: Collection[str],
    start: datetime,
    end: datetime,
) -> bool:
    """Record as refused which deltas the platform took and does not have; return if any.

    They wait for a person, who sends them again under the same identifiers.
    """
    there: set[str] = set()
    if not meters:
        return False
    for meter in meters:
        deltas = await adapter.read_deltas(customer, meter, start, end)
        if deltas is None:
            return False
        there |= deltas
    kept = select(platform_objects.c.own_id).where(
        platform_objects.c.tenant_id == row["tenant_id"],
        platform_objects.c.platform == adapter.name,
        platform_objects.c.kind == "meter",
        platform_objects.c.remote_id.in_(meters),
    )
    bucket = dispatches.c.data["bucket"].astext
    later = dispatches.alias("later")
    taken_back = exists().where(
        later.c.tenant_id == dispatches.c.tenant_id,
        later.c.platform == dispatches.c.platform,
        later.c.subject == dispatches.c.subject,
        later.c.data["bucket"].astext == bucket,
        later.c.data["quantity"].as_numeric(38, 9) < 0,
    )
    missing = (
        update(dispatches)
        .where(
            dispatches.c.tenant_id == row["tenant_id"],
            dispatches.c.platform == adapter.name,
            dispatches.c.stream == "usage",
            dispatches.c.state.in_(("sent", "confirmed")),
            dispatches.c.subject.in_(kept),
            bucket >= start.isoformat(),
            bucket < end.isoformat(),
            dispatches.c.fact != all_(literal(sorted(there), ARRAY(Text))),
            ~taken_back,
        )
        .values(state="refused", confirmed_at=None, reason=_NOT_THERE)
    )
    async with database.begin() as connection:
        return (await connection.execute(missing)).rowcount > 0


def _compare(of: RowMapping, theirs: Decimal, window_start: datetime) -> list[Difference]:
    """Return what differs of an hour's or a day's usage, by its cause."""
    ours = plain(of["ours"])
    rest = of["ours"] - of["queued"]
    old = of["at"] < window_start
    parts = []
    if of["waiting"]:
        parts.append(("not_sent", f"{plain(of['waiting'])} wait to be sent."))
    if of["refused"]:
        parts.append(("refused", f"{plain(of['refused'])} were refused: {of['reason']}"))
    if rest:
        cause = "outside_window" if old else "not_queued"
        parts.append((cause, f"{plain(rest)} were counted, and not queued."))
    if not old and theirs != of["sent"]:
        there = f"{plain(of['sent'])} were sent; the platform counts {plain(theirs)}."
        parts.append(("counted_otherwise", there))
    their_text = None if old else plain(theirs)
    return [Difference(cause, ours, their_text, detail) for cause, detail in parts]


async def _confirm(
    connection: AsyncConnection,
    platform: str,
    tenant_id: str,
    subject: str,
    start: datetime,
    end: datetime,
    now: datetime,
) -> None:
    """Record that the platform has an hour's or a day's usage as it was sent."""
    bucket = dispatches.c.data["bucket"].astext
    await connection.execute(
        update(dispatches)
        .where(
            dispatches.c.tenant_id == tenant_id,
            dispatches.c.platform == platform,
            dispatches.c.stream == "usage",
            dispatches.c.subject == subject,
            dispatches.c.state == "sent",
            bucket >= start.isoformat(),
            bucket < end.isoformat(),
        )
        .values(state="confirmed", confirmed_at=now)
    )


def _subject(of: RowMapping) -> str:
    return f"{of['meter']} {of['model']}"


def _day(at: datetime) -> datetime:
    utc = at.astimezone(UTC)
    return datetime(utc.year, utc.month, utc.day, tzinfo=UTC)
