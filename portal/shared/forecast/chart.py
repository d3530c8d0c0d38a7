"""The spend chart: what the period has cost so far, and the forecast's band to its end."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import altair as alt

from backend_client.types.spend import Forecast, Period
from portal.kit.chart_look import ROWS, finish, wall_clock, wall_clock_ms
from portal.kit.formatting import date, money

FORECAST_HEIGHT = 260


def forecast_rows(forecast: Forecast) -> list[dict[str, Any]]:
    """One row a day: cumulative spend so far, or the expected spend with its band.

    The band starts from the last actual day, so that it grows out of the line.
    """
    zone = ZoneInfo(forecast.period.time_zone)
    currency = forecast.expected.currency
    rows: list[dict[str, Any]] = []
    for day in forecast.days:
        row: dict[str, Any] = {
            "day": wall_clock_ms(day.day, zone),
            "when": date(day.day, forecast.period.time_zone),
        }
        for name in ("actual", "expected", "low", "high"):
            value = getattr(day, name)
            row[name] = None if value is None else float(value)
            row[f"{name}_shown"] = "–" if value is None else money(value, currency)
        rows.append(row)
    last = max((i for i, row in enumerate(rows) if row["actual"] is not None), default=None)
    if last is not None:
        for name in ("expected", "low", "high"):
            if rows[last][name] is None:
                rows[last][name] = rows[last]["actual"]
    return rows


def spend_spec(
    period: Period, currency: str, *, nothing: bool = False, height: int = FORECAST_HEIGHT
) -> dict[str, Any]:
    """The chart's Vega-Lite spec: the actual line, and the forecast's band with its middle.

    With ``nothing`` to show but zeros its axis still begins at the bottom.
    """
    zone = ZoneInfo(period.time_zone)
    scale = alt.Scale(
        type="utc",
        domainMin=wall_clock(period.start, zone),
        domainMax=wall_clock(period.end, zone),
        padding=0,
    )
    symbol = "$" if currency == "USD" else ""
    base = alt.Chart(ROWS).encode(
        x=alt.X("day:T", title=None, scale=scale, axis=alt.Axis(format="%-d %b", tickCount=8))
    )
    tooltip = [
        alt.Tooltip("when:N", title="Day"),
        alt.Tooltip("actual_shown:N", title="Spent"),
        alt.Tooltip("expected_shown:N", title="Expected"),
        alt.Tooltip("low_shown:N", title="Low"),
        alt.Tooltip("high_shown:N", title="High"),
    ]
    amounts = alt.Scale(domain=[0, 1]) if nothing else alt.Scale(zero=True)
    money_axis = alt.Axis(format=f"{symbol},.6~f", tickCount=1 if nothing else 5)
    band = base.mark_area(color="var(--indigo-9)", opacity=0.16).encode(
        y=alt.Y("low:Q", axis=money_axis, title=None, scale=amounts), y2="high:Q"
    )
    expected = base.mark_line(
        color="var(--indigo-9)", strokeWidth=2, strokeDash=[4, 4], interpolate="monotone"
    ).encode(y=alt.Y("expected:Q", title=None))
    actual = base.mark_line(
        color="var(--indigo-9)", strokeWidth=2.5, interpolate="monotone"
    ).encode(y=alt.Y("actual:Q", title=None))
    # Unseen, wide enough to point at: a day's numbers anywhere above it
    pointer = base.mark_rule(strokeWidth=16, opacity=0).encode(tooltip=tooltip)
    return finish(alt.layer(band, expected, actual, pointer), height=height)
