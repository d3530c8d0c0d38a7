"""What all charts share: colors are the theme's tokens, so that they follow light and dark."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt

PALETTE = (
    "var(--indigo-9)",
    "var(--teal-9)",
    "var(--orange-9)",
    "var(--plum-9)",
    "var(--cyan-11)",
    "var(--crimson-9)",
    "var(--grass-10)",
)
OTHER = "var(--gray-8)"
FONT = "Geist Variable, system-ui, sans-serif"
ROWS = alt.NamedData(name="rows")
"""Where the browser puts a chart's rows; see ``vega_chart.js``."""

SHORT_NUMBER = (
    "abs(datum.value) < 1000 ? format(datum.value, ',.6~f')"
    " : upper(replace(format(datum.value, '.4~s'), 'G', 'B'))"
)
"""An axis label such as 20K, as ``formatting.compact`` writes numbers beside the chart."""


def finish(chart: alt.Chart | alt.LayerChart | alt.FacetChart, *, height: int) -> dict[str, Any]:
    """The chart as a Vega-Lite spec that fills its container's width."""
    sized = chart.properties(width="container", height=height, padding=0)
    spec: dict[str, Any] = (
        sized.configure(
            font=FONT,
            background="transparent",
            autosize=alt.AutoSizeParams(type="fit", contains="padding"),
        )
        .configure_view(stroke=None)
        .configure_axis(
            labelColor="var(--gray-11)",
            labelFontSize=12,
            titleColor="var(--gray-11)",
            titleFontSize=12,
            titleFontWeight="normal",
            domainColor="var(--gray-6)",
            tickColor="var(--gray-6)",
            gridColor="var(--gray-4)",
            labelPadding=6,
        )
        .configure_axisX(grid=False, labelFlush=True, labelOverlap="greedy", labelSeparation=16)
        .configure_axisY(domain=False, ticks=False, tickCount=5, title=None)
        .to_dict()
    )
    return spec


def wall_clock(moment: datetime, zone: ZoneInfo) -> alt.DateTime:
    """The zone's wall clock at ``moment``, as the end of an axis."""
    local = moment.astimezone(zone)
    return alt.DateTime(
        year=local.year,
        month=local.month,
        date=local.day,
        hours=local.hour,
        minutes=local.minute,
        utc=True,
    )


def wall_clock_ms(moment: datetime, zone: ZoneInfo) -> int:
    """The zone's wall clock at ``moment``, in milliseconds as if that clock ran on UTC."""
    return int(moment.astimezone(zone).replace(tzinfo=UTC).timestamp() * 1000)
