"""The usage chart: bars over time, stacked by a dimension."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import altair as alt

from backend_client.types.usage import Granularity, UsageReport, UsageRow
from portal.kit.chart_look import (
    OTHER,
    PALETTE,
    ROWS,
    SHORT_NUMBER,
    finish,
    wall_clock,
    wall_clock_ms,
)
from portal.kit.formatting import TOKEN_METERS, count, meter_name

OTHER_SERIES = "Other"
HEIGHT = 300
EVENT_FILTERS = frozenset({"meter", "model", "application", "key"})
"""Dimensions that the list of events can be filtered by."""
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


@dataclass(frozen=True)
class Series:
    """One color of the chart: what it is called and how much of it there was."""

    name: str
    color: str
    total: Decimal


@dataclass(frozen=True)
class UsageBars:
    """A usage report made ready to draw: its series, its bars, and the same as a table."""

    series: tuple[Series, ...]
    rows: list[dict[str, Any]]
    table: list[tuple[datetime, str, Decimal]]


def usage_bars(
    report: UsageReport, *, show: str, split: str, names: Callable[[str], str]
) -> UsageBars:
    """Sum a report's rows into bars.

    ``show`` is ``tokens`` (the four token meters, which are disjoint and so may be stacked) or a
    meter's name; ``split`` is ``meter`` or a dimension such as ``model``. ``names`` turns an
    id into a name. Beyond the palette the smallest series are summed as "Other".
    """
    meters = set(TOKEN_METERS) if show == "tokens" else {show}
    bars: defaultdict[tuple[datetime, str], Decimal] = defaultdict(Decimal)
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in report.rows:
        if row.meter in meters:
            group = _group(row, split)
            bars[row.start, group] += row.quantity
            totals[group] += row.quantity
    if split == "meter":
        order = [meter for meter in (*TOKEN_METERS, show) if meter in totals]
        color = METER_COLORS
    else:
        order = sorted(totals, key=lambda group: (-totals[group], group))
        color = dict(zip(order, PALETTE, strict=False))
    shown = [group for group in order if group in color or len(order) == 1]
    label = {group: meter_name(group) if split == "meter" else names(group) for group in shown}
    series = [Series(label[g], color.get(g, PALETTE[0]), totals[g]) for g in shown]
    if len(shown) < len(order):
        rest = sum((totals[g] for g in order if g not in label), Decimal(0))
        series.append(Series(OTHER_SERIES, OTHER, rest))
    ids = {name: group for group, name in label.items()}
    merged: defaultdict[tuple[datetime, str], Decimal] = defaultdict(Decimal)
    for (start, group), quantity in bars.items():
        merged[start, label.get(group, OTHER_SERIES)] += quantity
    rank = {item.name: index for index, item in enumerate(series)}
    table = sorted(
        ((start, name, quantity) for (start, name), quantity in merged.items()),
        key=lambda line: (line[0], rank[line[1]]),
    )
    zone = ZoneInfo(report.time_zone)
    rows = [
        {
            "start": wall_clock_ms(start, zone),
            "end": wall_clock_ms(_bucket_end(start, report.granularity, zone), zone),
            "series": name,
            "group": ids.get(name, ""),
            "rank": rank[name],
            "quantity": float(quantity),
            "when": bucket_name(start, report.granularity, report.time_zone),
            "shown": count(quantity),
        }
        for start, name, quantity in table
    ]
    return UsageBars(tuple(series), rows, table)


def usage_spec(
    series: Sequence[Series],
    *,
    start: datetime,
    end: datetime,
    granularity: Granularity,
    time_zone: str,
    unit: str,
    split: str = "",
    filters: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The chart's Vega-Lite spec; it depends on the rows by the names of their series alone.

    A bar leads to its events: those of its time, of what it stands for by ``split``, and of what
    the usage is filtered by.
    """
    zone = ZoneInfo(time_zone)
    # Times are the tenant's wall clock sent as if it were UTC: every browser shows the same days
    scale = alt.Scale(
        type="utc", domainMin=wall_clock(start, zone), domainMax=wall_clock(end, zone), padding=0
    )
    bars = (
        alt.Chart(ROWS)
        .transform_calculate(href=_events_of_a_bar(split, filters or {}))
        .mark_bar(orient="vertical", stroke="var(--color-panel-solid)", strokeWidth=1)
        .encode(
            x=alt.X("start:T", title=None, scale=scale, axis=time_axis(granularity)),
            x2="end:T",
            y=alt.Y("quantity:Q", stack="zero", axis=alt.Axis(labelExpr=SHORT_NUMBER)),
            color=alt.Color(
                "series:N",
                legend=None,
                scale=alt.Scale(
                    domain=[item.name for item in series],
                    range=[item.color for item in series],
                ),
            ),
            order=alt.Order("rank:Q"),
            href="href:N",
            tooltip=[
                alt.Tooltip("when:N", title="When"),
                alt.Tooltip("series:N", title="What"),
                alt.Tooltip("shown:N", title=unit),
            ],
        )
    )
    return finish(bars, height=HEIGHT)


def _events_of_a_bar(split: str, filters: Mapping[str, str]) -> str:
    """The address of a bar's events as an expression of Vega's; its clock is the events' own."""
    clock = "%Y-%m-%dT%H:%M"
    fixed = urlencode({name: value for name, value in filters.items() if name != split})
    parts = [
        "'/events/?span=between&since='",
        f"utcFormat(datum.start, '{clock}')",
        "'&until='",
        f"utcFormat(datum.end, '{clock}')",
        f"'{'&' if fixed else ''}{fixed}'",
    ]
    if split in EVENT_FILTERS:
        # The rest, summed, has no id
        of_series = f"'&{split}=' + replace(datum.group, /[^A-Za-z0-9._:-]/g, '')"
        parts.append(f"(datum.group ? {of_series} : '')")
    return " + ".join(parts)


def bucket_name(start: datetime, granularity: Granularity, time_zone: str) -> str:
    """A bucket as a person says it, in the tenant's time zone: ``Tue 24 Nov, 10:15``."""
    local = start.astimezone(ZoneInfo(time_zone))
    match granularity:
        case Granularity.QUARTER_HOUR | Granularity.HOUR:
            return f"{local:%a} {local.day} {local:%b, %H:%M}"
        case Granularity.MONTH:
            return f"{local:%B %Y}"
        case _:
            return f"{local:%a} {local.day} {local:%b %Y}"


def time_axis(granularity: Granularity) -> alt.Axis:
    """An axis that names hours by the clock and midnights by the day."""
    day = "utcFormat(datum.value, '%-d %b')"
    match granularity:
        case Granularity.QUARTER_HOUR | Granularity.HOUR:
            midnight = "utchours(datum.value) == 0 && utcminutes(datum.value) == 0"
            label = f"{midnight} ? {day} : utcFormat(datum.value, '%H:%M')"
        case Granularity.MONTH:
            label = "utcFormat(datum.value, '%b %Y')"
        case _:
            label = day
    return alt.Axis(labelExpr=label, tickCount=10)


def _group(row: UsageRow, split: str) -> str:
    value = row.meter if split == "meter" else getattr(row, split)
    return value or ""


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
