"""Answers of the API about usage, calls and cost, as points of one kind. Plain functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from backend_client.types.calls import CallsReport, CallsRow, Percentiles
from backend_client.types.cost import CostReport, CostRow
from backend_client.types.usage import Granularity, UsageReport, UsageRow
from portal.features.usage.choices import TIMES, label_of
from portal.kit.formatting import TOKEN_METERS, count, fine_money, money

PERCENTILES = ("p50", "p95", "p99")
USUAL_PERCENTILE = "p95"
"""Of what is divided by something else."""


@dataclass(frozen=True)
class Point:
    """What was measured in a bucket, of what each dimension's group is."""

    start: datetime
    groups: tuple[str, ...]
    value: Decimal


@dataclass(frozen=True)
class Measured:
    """Points, in the buckets of a time zone. ``currency`` is that of a cost.

    ``version`` is the usage's that they are of, and ``last_event_at`` when its newest event was
    received, as far as the answer says so.
    """

    points: tuple[Point, ...]
    granularity: Granularity
    time_zone: str
    currency: str = ""
    version: int | None = None
    last_event_at: datetime | None = None

    @property
    def total(self) -> Decimal:
        """All of what may be added up."""
        return sum((point.value for point in self.points), Decimal(0))


def of_usage(report: UsageReport, splits: Sequence[str], *, show: str, meter: str) -> Measured:
    """Tokens, which are disjoint and so may be added up; requests; or a meter of its own."""
    meters = {meter} if meter else set(TOKEN_METERS) if show == "tokens" else {show}
    return Measured(
        tuple(
            Point(row.start, _groups(row, splits), row.quantity)
            for row in report.rows
            if row.meter in meters
        ),
        report.granularity,
        report.time_zone,
        version=report.version,
        last_event_at=report.last_event_at,
    )


def of_cost(report: CostReport, splits: Sequence[str]) -> Measured:
    """What usage cost."""
    return Measured(
        tuple(Point(row.start, _groups(row, splits), row.amount) for row in report.rows),
        report.granularity,
        report.time_zone,
        report.currency,
        report.version,
    )


def of_calls(report: CallsReport, splits: Sequence[str], *, show: str) -> Measured:
    """How many calls there were, or how long they took, in seconds."""
    if show not in TIMES:
        points = [Point(row.start, _groups(row, splits), Decimal(row.calls)) for row in report.rows]
    else:
        points = [point for row in report.rows for point in _times(row, splits, show)]
    return Measured(tuple(points), report.granularity, report.time_zone)


def percentile_of(report: CallsReport, show: str) -> Decimal | None:
    """The usual percentile of a report in one row; None if there were no calls."""
    times = [_of(row, show) for row in report.rows]
    return Decimal(str(times[0].p95)) if times and times[0] is not None else None


def _times(row: CallsRow, splits: Sequence[str], show: str) -> Iterable[Point]:
    times = _of(row, show)
    if times is None:
        return
    if "percentile" in splits:
        for name in PERCENTILES:
            yield Point(row.start, (name,), Decimal(str(getattr(times, name))))
    else:
        yield Point(row.start, _groups(row, splits), Decimal(str(times.p95)))


def _of(row: CallsRow, show: str) -> Percentiles | None:
    return row.seconds if show == "latency" else row.first_token_seconds


def _groups(row: UsageRow | CostRow | CallsRow, splits: Sequence[str]) -> tuple[str, ...]:
    return tuple(_group(row, split) or "" for split in splits)


def _group(row: UsageRow | CostRow | CallsRow, split: str) -> str | None:
    label = label_of(split)
    if label and not isinstance(row, CallsRow):
        return row.labels.get(label)
    value: str | None = getattr(row, split)
    return value


def seconds(value: Decimal) -> str:
    """A time as it reads: ``240 ms``, ``1.35 s``, ``84 s``."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def shown_as(show: str, currency: str, *, short: bool = False) -> Callable[[Decimal], str]:
    """How a measure's values read; a sum of money ``short`` of the digits below its minor unit."""
    if show in TIMES:
        return seconds
    if show == "cost":
        return lambda value: (money if short else fine_money)(value, currency)
    return count
