"""The usage chart: bars over time, or lines for times; divided by one or two dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import altair as alt

from backend_client.types.usage import Granularity
from portal.features.usage.drawing import Series
from portal.kit.chart_look import ROWS, SHORT_NUMBER, finish, wall_clock

HEIGHT = 300
EVENT_FILTERS = frozenset({"meter", "model", "application", "key"})
"""Dimensions that the list of events can be filtered by."""


def chart_spec(
    series: Sequence[Series],
    *,
    start: datetime,
    end: datetime,
    granularity: Granularity,
    time_zone: str,
    unit: str,
    splits: Sequence[str] = (),
    filters: Mapping[str, str] | None = None,
    lines: bool = False,
    number: str = SHORT_NUMBER,
    events: bool = True,
) -> dict[str, Any]:
    """The chart's Vega-Lite spec; it depends on the rows by the names of their series alone.

    A bar leads to its ``events``: those of its time, of what it stands for by ``splits``, and of
    what the usage is filtered by. ``number`` is how the axis reads.
    """
    zone = ZoneInfo(time_zone)
    # Times are the zone's wall clock sent as if it were UTC: every browser shows the same days
    scale = alt.Scale(
        type="utc", domainMin=wall_clock(start, zone), domainMax=wall_clock(end, zone), padding=0
    )
    base = alt.Chart(ROWS)
    if events:
        base = base.transform_calculate(href=_events_of_a_bar(splits, filters or {}))
    now = base.transform_filter("!datum.before")
    mark = (
        now.mark_line(clip=True, strokeWidth=2, point=alt.OverlayMarkDef(size=50))
        if lines
        else now.mark_bar(
            clip=True, orient="vertical", stroke="var(--color-panel-solid)", strokeWidth=1
        )
    )
    ends = {} if lines else {"x2": alt.X2("end:T"), "order": alt.Order("rank:Q")}
    tooltip = [
        alt.Tooltip("when:N", title="When"),
        alt.Tooltip("series:N", title="What"),
        alt.Tooltip("shown:N", title=unit),
    ]
    x = alt.X("start:T", title=None, scale=scale, axis=time_axis(granularity))
    encoded = mark.encode(
        x=x,
        y=alt.Y("quantity:Q", stack=None if lines else "zero", axis=alt.Axis(labelExpr=number)),
        color=alt.Color(
            "series:N",
            legend=None,
            scale=alt.Scale(
                domain=[item.name for item in series], range=[item.color for item in series]
            ),
        ),
        tooltip=tooltip,
        **ends,
        **({"href": alt.Href("href:N")} if events else {}),
    )
    ghost = (
        alt.Chart(ROWS)
        .transform_filter("datum.before")
        .mark_line(
            clip=True,
            color="var(--gray-9)",
            strokeWidth=1.5,
            strokeDash=[4, 4],
            interpolate="step-after",
        )
        .encode(x=x, y=alt.Y("quantity:Q"), tooltip=tooltip)
    )
    return finish(alt.layer(encoded, ghost), height=HEIGHT)


def _events_of_a_bar(splits: Sequence[str], filters: Mapping[str, str]) -> str:
    """The address of a bar's events as an expression of Vega's; its clock is the events' own."""
    clock = "%Y-%m-%dT%H:%M"
    fixed = urlencode({name: value for name, value in filters.items() if name not in splits})
    parts = [
        "'/events/?span=between&since='",
        f"utcFormat(datum.since, '{clock}')",
        "'&until='",
        f"utcFormat(datum.until, '{clock}')",
        f"'{'&' if fixed else ''}{fixed}'",
    ]
    for split, field in zip(splits, ("group", "then"), strict=False):
        if split in EVENT_FILTERS:
            # The rest, summed, has no id
            of_series = f"'&{split}=' + replace(datum.{field}, /[^A-Za-z0-9._:-]/g, '')"
            parts.append(f"(datum.{field} ? {of_series} : '')")
    return " + ".join(parts)


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
