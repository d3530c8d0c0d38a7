"""The chart of a period's spend with its forecast, and its key."""

from __future__ import annotations

from typing import Any

import reflex as rx

from portal.kit.blocks import card, empty
from portal.kit.vars import length
from portal.kit.vega_chart import PackedRows, vega_chart
from portal.shared.forecast.chart import FORECAST_HEIGHT


def forecast_chart(
    *,
    spec: dict[str, Any],
    rows: PackedRows,
    description: str,
    problem: str,
    note: rx.Component | None = None,
) -> rx.Component:
    """The chart in a card; until it is computed a skeleton, and without one the reason."""
    return card(
        rx.cond(
            length(rows) > 0,
            vega_chart(spec=spec, rows=rows, description=description, height=FORECAST_HEIGHT),
            rx.cond(
                problem != "",
                empty("cloud-off", "There is no forecast just now", problem),
                rx.skeleton(height=f"{FORECAST_HEIGHT}px", width="100%"),
            ),
        ),
        note or rx.fragment(),
        heading="Spend this period",
        aside=rx.flex(
            _key("Spent", "2.5px solid var(--indigo-9)"),
            _key("Expected", "2px dashed var(--indigo-9)"),
            _key("80% of outcomes", "10px solid var(--indigo-a4)"),
            spacing="4",
            wrap="wrap",
        ),
    )


def _key(name: str, line: str) -> rx.Component:
    return rx.flex(
        rx.box(width="18px", border_top=line),
        rx.text(name, size="1", color_scheme="gray"),
        align="center",
        spacing="2",
    )
