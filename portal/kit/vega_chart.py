"""A chart drawn by Vega in the browser from a spec that Altair made on the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import reflex as rx

PackedRows = list[list[Any]]
"""A chart's rows as they are sent, in columns: its name, its values, and then which of them each
row has. Without the last, each row has the next one."""


def packed(rows: Sequence[Mapping[str, Any]]) -> PackedRows:
    """Rows with the same fields, so that what many of them have is sent once.

    A chart's rows are made of few times and few series: packed they take a third.
    """
    return [_column(name, [row[name] for row in rows]) for name in (rows[0] if rows else ())]


def _column(name: str, values: list[Any]) -> list[Any]:
    # By the type too: 1, 1.0 and True are equal
    places: dict[tuple[type, Any], int] = {}
    which = [places.setdefault((type(value), value), len(places)) for value in values]
    if len(places) > len(values) // 2:
        return [name, values]
    return [name, [value for _, value in places], which]


class VegaChart(rx.NoSSRComponent):
    """A Vega-Lite spec with its rows apart, loaded only by pages that show one.

    The spec's data is named ``rows``. New rows update the view in place; a new spec builds it
    again. ``description`` is what a screen reader says; put the numbers in a table beside it.
    """

    library = "$/public/vega_chart.js"
    tag = "VegaChart"
    lib_dependencies: list[str] = [
        "vega@6.4.0",
        "vega-lite@6.5.0",
        "vega-embed@7.3.0",
        "vega-interpreter@2.3.2",
    ]

    spec: rx.Var[dict[str, Any]]
    rows: rx.Var[PackedRows]
    description: rx.Var[str]


def vega_chart(
    *, spec: dict[str, Any], rows: PackedRows, description: str, height: int
) -> rx.Component:
    """A chart in a box of its height in pixels, which it has before the chart is drawn."""
    chart = VegaChart.create(spec=spec, rows=rows, description=description)
    return rx.box(chart, min_height=f"{height}px")
