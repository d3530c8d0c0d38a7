"""Usage for rating: summed by model, meter and window over stretches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
from sqlalchemy import DateTime, Integer, Text, TextClause, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.metering.counting.daily import split_at_days
from backend.pricing.charges.rate_card import AttributedQuantity, Labels, MeteredQuantity
from backend.pricing.charges.windows import WindowedTime
from backend.storage.tables import tenants

_Placed = tuple[int, WindowedTime]
"""A time within one window, and the place of its stretch."""

# Each time is summed from one range of the index, and the few sums are added up.
# OFFSET keeps PostgreSQL from making one large join.
_PART = """
    SELECT wanted.place, wanted.window_id, {names}, used.quantity
    FROM unnest(:{table}_places, :{table}_windows, :{table}_starts, :{table}_ends)
        AS wanted (place, window_id, start_at, end_at)
    CROSS JOIN LATERAL (
        SELECT {columns}, sum(quantity) AS quantity
        FROM {table} {join}
        WHERE tenant_id = :tenant_id AND {starts} >= wanted.start_at AND {starts} < wanted.end_at
          {of_key}
        GROUP BY {numbers}
        OFFSET 0
    ) AS used
    """
_SUM = """
    SELECT place, window_id, {names}, sum(quantity) FROM ({parts}) AS parts
    GROUP BY {numbers}
    ORDER BY {numbers}
    """
_TABLES = {"rollups": "bucket", "daily_rollups": "day"}
_ONE_DAY = timedelta(days=1)


def _query(
    of_key: str = "", *, join: str = "", arrays: Sequence[str] = (), **columns: str
) -> TextClause:
    """Return the query that sums by these columns; each is an expression over the rollups.

    ``arrays`` are parameters of it that are lists of texts.
    """
    names = ", ".join(columns)
    named = ", ".join(f"{column} AS {name}" for name, column in columns.items())

    def numbers(count: int) -> str:
        return ", ".join(str(number) for number in range(1, count + 1))

    parts = [
        _PART.format(
            table=table,
            starts=starts,
            columns=named,
            names=names,
            numbers=numbers(len(columns)),
            of_key=of_key,
            join=join,
        )
        for table, starts in _TABLES.items()
    ]
    whole = _SUM.format(
        names=names, parts=" UNION ALL ".join(parts), numbers=numbers(len(columns) + 2)
    )
    return text(whole).bindparams(
        *(
            bindparam(f"{table}_{name}", type_=ARRAY(kind))
            for table in _TABLES
            for name, kind in (
                ("places", Integer),
                ("windows", Text),
                ("starts", DateTime(timezone=True)),
                ("ends", DateTime(timezone=True)),
            )
        ),
        *(bindparam(name, type_=ARRAY(Text)) for name in arrays),
    )


_METERED = {"model": "model", "meter": "meter"}
_WITH_LABELS = {**_METERED, "labels": "labels::text"}
_SUMMED = _query(**_METERED, labels="NULL::text")
_BY_LABELS = _query(**_WITH_LABELS)
_OF_KEY = _query("AND key_id = :key_id", **_WITH_LABELS)
_OF_APPLICATION = _query("AND application_id = :application_id", **_WITH_LABELS)
_OF_LABEL = _query("AND labels ->> :label = :value", **_WITH_LABELS)
_OF_KEYS = _query("AND key_id = ANY (:owners)", arrays=["owners"], owner="key_id", **_WITH_LABELS)
_OF_APPLICATIONS = _query(
    "AND application_id = ANY (:owners)", arrays=["owners"], owner="application_id", **_WITH_LABELS
)
# Usage with the values of two labels is of both
_OF_LABELS = _query(
    join="JOIN unnest(:names, :values) WITH ORDINALITY AS own (name, value, number)"
    " ON labels ->> own.name = own.value",
    arrays=["names", "values"],
    owner="own.number::text",
    **_WITH_LABELS,
)
_BY_UPSTREAM = _query(**_METERED, upstream="upstream")
_BY_ORIGIN = _query(application_id="application_id", key_id="key_id", **_WITH_LABELS)


@dataclass(frozen=True, slots=True)
class UsagePart:
    """A part of a tenant's usage: of a key, an application, or a declared label's value."""

    key_id: str | None = None
    application_id: str | None = None
    label: tuple[str, str] | None = None

    def query(self) -> tuple[TextClause, dict[str, object]]:
        """Return the query that sums it, and its parameters."""
        if self.key_id is not None:
            return _OF_KEY, {"key_id": self.key_id}
        if self.application_id is not None:
            return _OF_APPLICATION, {"application_id": self.application_id}
        if self.label is not None:
            return _OF_LABEL, dict(zip(("label", "value"), self.label, strict=True))
        return _BY_LABELS, {}


async def period_usage(
    connection: AsyncConnection,
    tenant_id: str,
    stretches: Sequence[Sequence[WindowedTime]],
    labels: Collection[str] = (),
    *,
    of: UsagePart | None = None,
) -> list[list[MeteredQuantity]]:
    """Return the usage in each stretch, in one query.

    A stretch is given as the times that its plan's windows divide it into; see
    ``windows.cut_at_windows``. They start and end at quarter hours: a rollup counts where it
    starts. ``labels`` are those that a plan prices by; usage is divided by no others. It is
    that of a part alone if ``of`` names one.
    """
    usage: list[list[MeteredQuantity]] = [[] for _ in stretches]
    parameters = await _parameters(connection, tenant_id, stretches)
    if parameters is None:
        return usage
    query = _BY_LABELS if labels else _SUMMED
    if of is not None:
        query, more = of.query()
        parameters |= more
    rows = await connection.execute(query, parameters)
    for place, window, model, meter, counted_by, quantity in rows:
        kept = _kept_labels(counted_by, labels)
        usage[place].append(MeteredQuantity(model, meter, quantity, window, kept))
    return usage


async def usage_of_parts(
    connection: AsyncConnection,
    tenant_id: str,
    stretches: Sequence[tuple[Sequence[WindowedTime], Collection[str]]],
    parts: Collection[UsagePart],
) -> list[dict[UsagePart, list[MeteredQuantity]]]:
    """Return the usage in each stretch of each part, as ``period_usage`` does of one.

    By a query for each kind of part, however many there are. With each stretch come the labels that
    its plan prices by.
    """
    usage = [{part: list[MeteredQuantity]() for part in parts} for _ in stretches]
    parameters = await _parameters(connection, tenant_id, [times for times, _ in stretches])
    if parameters is None:
        return usage
    for query, more, by_owner in _of_parts(parts):
        rows = await connection.execute(query, parameters | more)
        for place, window, owner, model, meter, counted_by, quantity in rows:
            kept = _kept_labels(counted_by, stretches[place][1])
            metered = MeteredQuantity(model, meter, quantity, window, kept)
            usage[place][by_owner[owner]].append(metered)
    return usage


def _of_parts(
    parts: Collection[UsagePart],
) -> Iterator[tuple[TextClause, dict[str, object], dict[str, UsagePart]]]:
    """Yield the query of each kind of part, its parameters, and the parts by what it names them."""
    keys = {part.key_id: part for part in parts if part.key_id is not None}
    if keys:
        yield _OF_KEYS, {"owners": list(keys)}, keys
    applications = {part.application_id: part for part in parts if part.application_id is not None}
    if applications:
        yield _OF_APPLICATIONS, {"owners": list(applications)}, applications
    labels = {part.label: part for part in parts if part.label is not None}
    if labels:
        names, values = zip(*labels, strict=True)
        number = {f"{place}": part for place, part in enumerate(labels.values(), 1)}
        yield _OF_LABELS, {"names": list(names), "values": list(values)}, number


async def attributed_usage(
    connection: AsyncConnection,
    tenant_id: str,
    times: Sequence[Sequence[WindowedTime]],
    labels: Collection[str],
) -> list[list[AttributedQuantity]]:
    """Return the usage in each of some times, as ``period_usage`` does, by application and key."""
    usage: list[list[AttributedQuantity]] = [[] for _ in times]
    parameters = await _parameters(connection, tenant_id, times)
    if parameters is None:
        return usage
    rows = await connection.execute(_BY_ORIGIN, parameters)
    for place, window, application, key, model, meter, counted_by, quantity in rows:
        kept = _kept_labels(counted_by, labels)
        metered = MeteredQuantity(model, meter, quantity, window, kept)
        usage[place].append(AttributedQuantity(application, key, metered))
    return usage


async def upstream_usage(
    connection: AsyncConnection, tenant_id: str, times: Sequence[tuple[datetime, datetime]]
) -> list[dict[tuple[str, str, str], Decimal]]:
    """Return the usage in each of some times by model, meter and upstream (empty: none named)."""
    usage: list[dict[tuple[str, str, str], Decimal]] = [{} for _ in times]
    parameters = await _parameters(
        connection, tenant_id, [[WindowedTime(*time, None)] for time in times]
    )
    if parameters is not None:
        rows = await connection.execute(_BY_UPSTREAM, parameters)
        for place, _, model, meter, upstream, quantity in rows:
            usage[place][model, meter, upstream] = quantity
    return usage


def _kept_labels(counted_by: str | None, labels: Collection[str]) -> Labels:
    if counted_by is None or not labels:
        return ()
    values = msgspec.json.decode(counted_by, type=dict[str, str])
    return tuple(sorted((name, value) for name, value in values.items() if name in labels))


async def _parameters(
    connection: AsyncConnection, tenant_id: str, places: Sequence[Sequence[WindowedTime]]
) -> dict[str, object] | None:
    """Return what the queries are run with; None where there is no time to sum over."""
    times = [(place, time) for place, own in enumerate(places) for time in own]
    if not times:
        return None
    days, rest = await _split(connection, tenant_id, times)
    parameters: dict[str, object] = {"tenant_id": tenant_id}
    for table, parts in (("daily_rollups", days), ("rollups", rest)):
        parameters |= {
            f"{table}_places": [place for place, _ in parts],
            f"{table}_windows": [time.window for _, time in parts],
            f"{table}_starts": [time.start for _, time in parts],
            f"{table}_ends": [time.end for _, time in parts],
        }
    return parameters


async def _split(
    connection: AsyncConnection, tenant_id: str, times: Sequence[_Placed]
) -> tuple[list[_Placed], list[_Placed]]:
    """Split times into whole days of the tenant, which are summed already, and the rest."""
    if all(time.end - time.start < _ONE_DAY for _, time in times):
        return [], list(times)
    zone = await connection.scalar(select(tenants.c.time_zone).where(tenants.c.id == tenant_id))
    days: list[_Placed] = []
    rest: list[_Placed] = []
    for place, time in times:
        split = split_at_days(time.start, time.end, zone or "UTC")
        if split.days is not None:
            days.append((place, WindowedTime(*split.days, time.window)))
        rest += [(place, WindowedTime(start, end, time.window)) for start, end in split.rest]
    return days, rest
