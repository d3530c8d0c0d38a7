"""Cost against volume, a line a plan. Plain functions."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import altair as alt

from portal.features.compare.rows import Point
from portal.kit.chart_look import PALETTE, ROWS, SHORT_NUMBER, finish
from portal.kit.formatting import compact, money

HEIGHT = 300


def curve_rows(points: Sequence[Point], currency: str) -> list[dict[str, Any]]:
    """Return a row for each volume and plan that carries it."""
    return [
        {
            "chats": float(point.chats),
            "bill": float(bill),
            "plan": plan,
            "chats_shown": compact(point.chats.quantize(Decimal(1))),
            "bill_shown": money(bill, currency),
        }
        for point in points
        for plan, bill in point.bills.items()
        if bill is not None
    ]


def plan_colors(plans: Sequence[str]) -> dict[str, str]:
    """Return each plan's color, by its name, in the order of the names."""
    names = sorted(plans)
    return {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(names)}


def curve_spec(plans: Sequence[str], chats_a_month: Decimal, currency: str) -> dict[str, Any]:
    """Return the chart's Vega-Lite spec; a rule marks the volume that is compared.

    Both axes go by magnitudes: plans differ by them, and a straight line is a price a chat.
    """
    colors = plan_colors(plans)
    symbol = "$" if currency == "USD" else ""
    base = alt.Chart(ROWS).encode(
        x=alt.X(
            "chats:Q",
            title="Chats a month",
            scale=alt.Scale(type="log", nice=False),
            axis=alt.Axis(labelExpr=SHORT_NUMBER, tickCount=6),
        ),
        y=alt.Y(
            "bill:Q",
            title=None,
            scale=alt.Scale(type="symlog", constant=10),
            axis=alt.Axis(format=f"{symbol},.4~s", tickCount=6),
        ),
    )
    scale = alt.Scale(domain=list(colors), range=list(colors.values()))
    tooltip = [
        alt.Tooltip("plan:N", title="Plan"),
        alt.Tooltip("chats_shown:N", title="Chats a month"),
        alt.Tooltip("bill_shown:N", title="A month"),
    ]
    lines = base.mark_line(strokeWidth=2.5).encode(
        color=alt.Color("plan:N", legend=None, scale=scale)
    )
    points = base.mark_point(size=70, filled=True, opacity=0).encode(tooltip=tooltip)
    here = (
        alt.Chart(alt.InlineData(values=[{"chats": float(chats_a_month)}]))
        .mark_rule(color="var(--gray-9)", strokeDash=[4, 4])
        .encode(x="chats:Q")
    )
    spec = finish(alt.layer(here, lines, points), height=HEIGHT)
    # Room for the last label, which stands on either side of its tick
    return spec | {"padding": {"left": 0, "right": 16, "top": 0, "bottom": 0}}
