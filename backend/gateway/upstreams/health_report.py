"""Reads how upstreams fare, from what every process told and measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import RowMapping, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.gateway.latencies import BUCKETS, percentile
from backend.gateway.upstreams.process_report import SEEN_SECONDS
from backend.storage.tables import gateway_processes, upstream_measures
from backend_client.types.models import Latency
from backend_client.types.upstream_health import (
    CircuitState,
    UpstreamCircuit,
    UpstreamFailure,
    UpstreamHealth,
    UpstreamModelHealth,
)

MEASURED: Final = timedelta(hours=1)
_WORST_FIRST: Final[tuple[CircuitState, ...]] = ("open", "half-open", "closed")


async def upstream_health(
    connection: AsyncConnection, now: datetime
) -> Mapping[str, UpstreamHealth]:
    """Return how each upstream fares; of one that no process knows, that there is nothing."""
    seen = gateway_processes.c.seen_at >= func.now() - timedelta(seconds=SEEN_SECONDS)
    processes = await connection.execute(
        select(gateway_processes).where(seen).order_by(gateway_processes.c.name)
    )
    reports: defaultdict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    for row in processes.mappings():
        for upstream, report in row["upstreams"].items():
            reports[upstream].append((row["name"], report))
    recent = await connection.execute(
        select(upstream_measures).where(upstream_measures.c.bucket >= now - MEASURED)
    )
    rows: defaultdict[str, list[RowMapping]] = defaultdict(list)
    for row in recent.mappings():
        rows[row["upstream"]].append(row)
    failures = await _last_failures(connection)
    return defaultdict(
        lambda: _health([], [], None, now),
        {
            name: _health(reports[name], rows[name], failures.get(name), now)
            for name in {*reports, *rows, *failures}
        },
    )


async def _last_failures(connection: AsyncConnection) -> dict[str, UpstreamFailure]:
    columns = upstream_measures.c
    query = (
        select(columns.upstream, columns.model, columns.last_failure)
        .ext(distinct_on(columns.upstream))
        .where(columns.last_failure.is_not(None))
        .order_by(columns.upstream, columns.last_failure["at"].astext.desc())
    )
    return {
        row["upstream"]: UpstreamFailure(model=row["model"], **row["last_failure"])
        for row in (await connection.execute(query)).mappings()
    }


def _health(
    reports: Sequence[tuple[str, Mapping[str, Any]]],
    rows: Sequence[RowMapping],
    last_failure: UpstreamFailure | None,
    now: datetime,
) -> UpstreamHealth:
    circuits = [
        _circuit(process, circuit, now)
        for process, report in reports
        for circuit in report["circuits"]
    ]
    not_well = [each for each in circuits if each.state != "closed" or each.keys_resting]
    states = {each.state for each in circuits} | {"closed"}
    answered, failed = _sums(rows)
    return UpstreamHealth(
        state=next(state for state in _WORST_FIRST if state in states),
        processes=len(reports),
        under_way=sum(report["under_way"] for _, report in reports),
        attempts=answered + failed,
        failed=failed,
        error_rate=_error_rate(rows),
        first_token=_latency(rows),
        models=[
            UpstreamModelHealth(
                model=model,
                attempts=sum(_sums(of_model)),
                error_rate=_error_rate(of_model),
                first_token=_latency(of_model),
            )
            for model, of_model in _by_model(rows)
        ],
        circuits=not_well,
        last_failure=last_failure,
    )


def _circuit(process: str, circuit: Mapping[str, Any], now: datetime) -> UpstreamCircuit:
    """Return a circuit as it is by ``now``: an open one becomes half-open in time."""
    until = _instant(circuit["open_until"])
    keys_until = [_instant(each) for each in circuit["keys_open_until"]]
    resting = sum(each is not None and each > now for each in keys_until)
    # Without a key that may be used it takes no calls either
    no_key = resting == circuit["keys"]
    is_open = no_key or (until is not None and until > now)
    freed = min((each for each in keys_until if each is not None), default=None) if no_key else None
    later = max((each for each in (until, freed) if each is not None), default=None)
    return UpstreamCircuit(
        process=process,
        model=circuit["model"],
        state="open" if is_open else "closed" if until is None else "half-open",
        until=later if is_open else None,
        keys=circuit["keys"],
        keys_resting=resting,
    )


def _instant(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written).astimezone(UTC)


def _by_model(rows: Iterable[RowMapping]) -> list[tuple[str, list[RowMapping]]]:
    by_model: defaultdict[str, list[RowMapping]] = defaultdict(list)
    for row in rows:
        by_model[row["model"]].append(row)
    return sorted(by_model.items())


def _sums(rows: Iterable[RowMapping]) -> tuple[int, int]:
    """Return how many attempts were answered, and how many failed."""
    counts = [(row["answered"], row["failed"]) for row in rows]
    return sum(answered for answered, _ in counts), sum(failed for _, failed in counts)


def _error_rate(rows: Iterable[RowMapping]) -> float | None:
    answered, failed = _sums(rows)
    return round(failed / (answered + failed), 4) if answered + failed else None


def _latency(rows: Iterable[RowMapping]) -> Latency | None:
    counts = [row["first_token_counts"] for row in rows]
    sums = [sum(bucket) for bucket in zip([0] * BUCKETS, *counts, strict=True)]
    half, most = percentile(sums, 0.5), percentile(sums, 0.95)
    if half is None or most is None:
        return None
    return Latency(p50=round(half, 2), p95=round(most, 2))
