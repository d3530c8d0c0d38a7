"""A chart drawn by Vega in the browser from a spec that Altair made on the server."""

from __future__ import annotations

from typing import Any

import reflex as rx


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
    rows: rx.Var[list[dict[str, Any]]]
    description: rx.Var[str]


vega_chart = VegaChart.create
