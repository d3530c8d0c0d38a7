"""What was measured, made ready to draw: series, rows and their times. Plain functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from backend_client.types.usage import Granularity
from portal.features.usage.measured import Measured
from portal.kit.chart_look import OTHER, PALETTE, wall_clock_ms
from portal.kit.formatting import TOKEN_METERS, count

OTHER_SERIES = "Other"
BEFORE = "The time before"
METER_COLORS = {
    "input_tokens": "var(--indigo-9)",
    "cached_input_tokens": "var(--indigo-7)",
    "cache_write_tokens": "var(--indigo-6)",
    "cache_write_1h_tokens": "var(--indigo-5)",
    "audio_input_tokens": "var(--indigo-11)",
    "image_input_tokens": "var(--indigo-8)",
    "output_tokens": "var(--teal-9)",
    "reasoning_tokens": "var(--teal-7)",
    "audio_output_tokens": "var(--teal-11)",
    "image_output_tokens": "var(--teal-8)",
}
PERCENTILE_COLORS = {"p50": "var(--teal-9)", "p95": "var(--indigo-9)", "p99": "var(--orange-9)"}
FIXED_COLORS = {("meter",): METER_COLORS, ("percentile",): PERCENTILE_COLORS}
"""Of dimensions whose groups always look the same."""

Groups = tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """One color of the chart: what it is called and how much of it there was."""

    name: str
    color: str
    total: Decimal


@dataclass(frozen=True)
class Drawing:
    """What was measured, made ready to draw: its series, its rows, and the same as a table."""

    series: tuple[Series, ...]
    rows: list[dict[str, Any]]
    table: list[tuple[datetime, str, Decimal]]


def drawing(
    measured: Measured,
    *,
    splits: Sequence[str],
    names: Callable[[str, str], str],
    shown: Callable[[Decimal], str] = count,
    adds_up: bool = True,
    before: Sequence[tuple[datetime, Decimal]] = (),
    own_zone: str = "",
) -> Drawing:
    """Sum what was measured into bars, or leave it as lines where it does not add up.

    ``names`` turns a dimension and an id into a name, ``shown`` a value into text. Beyond the
    palette the smallest series are summed as "Other", or left out where they do not add up.
    ``before`` are totals of the time before, moved to the buckets they are compared with.
    ``own_zone`` is that of the events page, if the chart's is another.
    """
    bars: defaultdict[tuple[datetime, Groups], Decimal] = defaultdict(Decimal)
    totals: defaultdict[Groups, Decimal] = defaultdict(Decimal)
    for point in measured.points:
        bars[point.start, point.groups] += point.value
        totals[point.groups] += point.value
    colors = _colors(tuple(splits), totals)
    order = _order(tuple(splits), totals)
    drawn = [groups for groups in order if groups in colors or len(order) == 1]
    label = {groups: _label(splits, groups, names) for groups in drawn}
    series = [Series(label[g], colors.get(g, PALETTE[0]), totals[g]) for g in drawn]
    if len(drawn) < len(order) and adds_up:
        rest = sum((totals[g] for g in order if g not in label), Decimal(0))
        series.append(Series(OTHER_SERIES, OTHER, rest))
    ids = {name: groups for groups, name in label.items()}
    merged: defaultdict[tuple[datetime, str], Decimal] = defaultdict(Decimal)
    for (start, groups), value in bars.items():
        if groups in label or adds_up:
            merged[start, label.get(groups, OTHER_SERIES)] += value
    rank = {item.name: index for index, item in enumerate(series)}
    table = sorted(
        ((start, name, value) for (start, name), value in merged.items()),
        key=lambda line: (line[0], rank[line[1]]),
    )
    clock = _Clock(measured, own_zone)
    nobody = ("",) * len(splits)
    rows = [
        {
            **clock.bucket(start),
            "series": name,
            "group": ids.get(name, nobody)[0],
            "then": ids.get(name, nobody)[-1],
            "rank": rank[name],
            "quantity": float(value),
            "shown": shown(value),
            "before": False,
        }
        for start, name, value in table
    ]
    rows += [
        {
            **clock.bucket(start),
            "series": BEFORE,
            "group": "",
            "then": "",
            "rank": len(series),
            "quantity": float(value),
            "shown": shown(value),
            "before": True,
        }
        for start, value in before
    ]
    return Drawing(tuple(series), rows, table)


class _Clock:
    """Writes buckets as times of a wall clock: that of the chart, and that of the events page."""

    def __init__(self, measured: Measured, own_zone: str) -> None:
        self._granularity = measured.granularity
        self._name = measured.time_zone
        self._zone = ZoneInfo(measured.time_zone)
        self._own = ZoneInfo(own_zone or measured.time_zone)

    def bucket(self, start: datetime) -> dict[str, Any]:
        end = _bucket_end(start, self._granularity, self._zone)
        return {
            "start": wall_clock_ms(start, self._zone),
            "end": wall_clock_ms(end, self._zone),
            "since": wall_clock_ms(start, self._own),
            "until": wall_clock_ms(end, self._own),
            "when": bucket_name(start, self._granularity, self._name),
        }


def _colors(splits: Groups, totals: Mapping[Groups, Decimal]) -> dict[Groups, str]:
    if splits in FIXED_COLORS:
        fixed = FIXED_COLORS[splits]
        return {(name,): color for name, color in fixed.items() if (name,) in totals}
    return dict(zip(_order(splits, totals), PALETTE, strict=False))


def _order(splits: Groups, totals: Mapping[Groups, Decimal]) -> list[Groups]:
    if splits == ("meter",):
        # In the order of the bill, and then what the operator counts besides
        fixed = [(meter,) for meter in TOKEN_METERS if (meter,) in totals]
        return fixed + sorted(groups for groups in totals if groups not in fixed)
    if splits == ("percentile",):
        return [(name,) for name in PERCENTILE_COLORS if (name,) in totals]
    return sorted(totals, key=lambda groups: (-totals[groups], groups))


def _label(splits: Sequence[str], groups: Groups, names: Callable[[str, str], str]) -> str:
    return " · ".join(names(split, id_) for split, id_ in zip(splits, groups, strict=True))


def bucket_name(start: datetime, granularity: Granularity, time_zone: str) -> str:
    """A bucket as a person says it, on the zone's clock: ``Tue 24 Nov, 10:15``."""
    local = start.astimezone(ZoneInfo(time_zone))
    match granularity:
        case Granularity.QUARTER_HOUR | Granularity.HOUR:
            return f"{local:%a} {local.day} {local:%b, %H:%M}"
        case Granularity.MONTH:
            return f"{local:%B %Y}"
        case _:
            return f"{local:%a} {local.day} {local:%b %Y}"


def _bucket_end(start: datetime, granularity: Granularity, zone: ZoneInfo) -> datetime:
    local = start.astimezone(zone)
    match granularity:
        case Granularity.QUARTER_HOUR:
            return start + timedelta(minutes=15)
        case Granularity.HOUR:
            return start + timedelta(hours=1)
        case Granularity.MONTH:
            return (local.replace(day=1) + timedelta(days=32)).replace(day=1)
        case _:
            return local + timedelta(days=1)
