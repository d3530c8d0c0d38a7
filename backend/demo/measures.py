"""Write how sample calls went, beside the gateway's own measures and in its log of the last day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.principal import Principal
from backend.demo.accounts import OpenedTenant
from backend.demo.calls import SampleCalls, counted, logged, sample_calls
from backend.gateway.admission import Admission
from backend.gateway.measures.call_tally import KEPT, CallCounts, CallKey
from backend.gateway.measures.measures import KEPT as HOURS_KEPT
from backend.gateway.measures.measures import HourCounts, add_hours
from backend.gateway.request_log.storing import insert_entries
from backend.pricing.credit.call_cost import CallValues
from backend.storage.database import Database
from backend.storage.tables import api_keys, call_measures, model_hours
from backend_client.types.accounts import Role, Tenant
from backend_client.types.events import UsageEvent

LOGGED: Final = timedelta(days=1)
"""How far back the log of calls goes."""
SAMPLE_MODELS: Final = frozenset({"sample-large", "sample-small"})
"""Models that nobody serves: how they perform is sample data alone."""
_ROWS: Final = 2_000

_INSERT: Final = text(
    "INSERT INTO call_measures SELECT entry.*"
    " FROM json_populate_recordset(NULL::call_measures, CAST(:rows AS json)) AS entry"
    # What an earlier load wrote stays, as its events do
    " ON CONFLICT DO NOTHING"
    " RETURNING tenant_id, bucket, application_id, key_id, model, status, cause"
)
Member = TypeVar("Member")


async def measure(
    database: Database,
    opened: Sequence[OpenedTenant],
    events: Mapping[str, list[UsageEvent]],
    *,
    seed: int,
    now: datetime,
    log_days: int,
) -> None:
    """Write how the calls of sample events went: what is written already stays as it is.

    Measures go back as far as the gateway keeps them, the log of calls a day, or not at all with
    ``log_days`` 0.
    """
    admission = Admission(database)
    for sample in opened:
        series = {each.name: each for each in sample.sample.series}
        recent = [
            sample_calls(event, event.time, series[event.id.rpartition("/")[0]], seed)
            for event in events[sample.tenant.id]
            if event.time is not None and event.time > now - KEPT
        ]
        for some in _parts(recent, _ROWS):
            async with database.begin() as connection:
                await _add(connection, some, now)
        if log_days:
            newest = [calls for calls in recent if calls.began > now - LOGGED]
            await _log(database, admission, sample.tenant, newest)


async def _add(connection: AsyncConnection, calls: Sequence[SampleCalls], now: datetime) -> None:
    counts = {key: count for each in calls for key, count in counted(each) if count.calls}
    rows = [
        {
            **key._asdict(),
            "bucket": key.bucket.isoformat(),
            "calls": count.calls,
            "total_counts": count.total_counts,
            "first_token_counts": count.first_token_counts,
        }
        for key, count in counts.items()
    ]
    inserted = await connection.execute(_INSERT, {"rows": orjson.dumps(rows).decode()})
    new = {CallKey(*row): counts[CallKey(*row)] for row in inserted}
    await add_hours(connection, _hours(new, since=now - HOURS_KEPT))


def _hours(
    counts: Mapping[CallKey, CallCounts], *, since: datetime, sign: int = 1
) -> dict[tuple[datetime, str], HourCounts]:
    hours: dict[tuple[datetime, str], HourCounts] = {}
    for key, count in counts.items():
        if key.model not in SAMPLE_MODELS or key.bucket < since:
            continue
        hour = hours.setdefault((key.bucket.replace(minute=0), key.model), HourCounts())
        if key.status == "failed":
            hour.failed += sign * count.calls
        elif key.status == "completed":
            hour.answered += sign * count.calls
            for own, more in (
                (hour.total_counts, count.total_counts),
                (hour.first_token_counts, count.first_token_counts),
            ):
                own[:] = [present + sign * added for present, added in zip(own, more, strict=True)]
    return hours


async def _log(
    database: Database, admission: Admission, tenant: Tenant, calls: Sequence[SampleCalls]
) -> None:
    caller = Principal("key", "", tenant.id, frozenset(), Role.DEVELOPER)
    values = await admission.values_of(caller)
    for some in _parts((row for each in calls for row in logged(each)), _ROWS):
        rows = [_written(row, values) for row in some]
        async with database.begin() as connection:
            await insert_entries(connection, rows)


def _written(row: dict[str, Any], values: CallValues | None) -> dict[str, Any]:
    """A call of the log as JSON, with what it cost."""
    quantities: dict[str, Decimal] = row["quantities"]
    cost = None
    if values is not None and quantities:
        cost = values.cost(row["model"], quantities, row["time"], ())
    return {
        **row,
        "time": row["time"].isoformat(),
        "quantities": {meter: str(units) for meter, units in quantities.items()},
        "cost": None if cost is None else str(cost),
        "currency": None if cost is None or values is None else values.plan.currency,
    }


async def forget_measures(connection: AsyncConnection, tenants: Sequence[Tenant]) -> None:
    """Take the sample tenants' calls out of what is measured of all tenants' together."""
    measures = call_measures.c
    own_keys = select(api_keys.c.id).where(api_keys.c.tenant_id == measures.tenant_id)
    rows = await connection.execute(
        select(call_measures).where(
            measures.tenant_id.in_([tenant.id for tenant in tenants]),
            measures.key_id.in_(own_keys),
        )
    )
    counts = {
        CallKey(*row[: len(CallKey._fields)]): CallCounts(
            row.calls, row.total_counts, row.first_token_counts
        )
        for row in rows
    }
    hours = model_hours.c
    first = await connection.scalar(select(hours.hour).order_by(hours.hour).limit(1))
    if first is not None:
        await add_hours(connection, _hours(counts, since=first, sign=-1))
        await connection.execute(model_hours.delete().where(hours.answered <= 0, hours.failed <= 0))


def _parts(members: Iterable[Member], size: int) -> Iterator[list[Member]]:
    rest = iter(members)
    while part := list(islice(rest, size)):
        yield part
