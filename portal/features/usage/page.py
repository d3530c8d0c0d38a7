"""Usage: what was used when, by what, at what cost and how fast, live."""

from __future__ import annotations

import reflex as rx

from portal import routes
from portal.features.usage.chart import HEIGHT
from portal.features.usage.controls import controls
from portal.features.usage.quota_card import quota_card
from portal.features.usage.rows import LegendEntry, TableRow
from portal.features.usage.state import Usage
from portal.kit.blocks import button_link, card, empty
from portal.kit.plain import csv_button, file_button
from portal.kit.tables import remark
from portal.kit.vars import each, length, pick
from portal.kit.vega_chart import vega_chart
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Usage,
        content=(
            loaded(
                Usage,
                rx.flex(
                    controls(), _chart(), _table(), quota_card(), direction="column", spacing="5"
                ),
            ),
        ),
        query=Usage.query,
        lead="Every call as it is metered. The chart updates live.",
        actions=rx.flex(csv_button(Usage.csv), file_button("Parquet", Usage.parquet), spacing="2"),
    )


def _chart() -> rx.Component:
    return card(
        rx.cond(
            Usage.phase == "loading",
            # As high as what comes: the total above the chart, the chart, the remark below
            rx.skeleton(height=f"{HEIGHT + 76}px", width="100%"),
            rx.cond(
                length(Usage.rows) > 0,
                rx.box(
                    rx.flex(
                        rx.text(Usage.total, size="6", weight="medium", letter_spacing="-0.02em"),
                        rx.text(Usage.change, size="2", color_scheme="gray", id="usage-change"),
                        align="baseline",
                        spacing="3",
                        wrap="wrap",
                        margin_bottom="var(--space-3)",
                    ),
                    vega_chart(
                        spec=Usage.spec,
                        rows=Usage.rows,
                        description=Usage.description,
                        height=HEIGHT,
                    ),
                    rx.cond(
                        Usage.leads_to_events,
                        remark("A bar leads to its events. Dashed: the time before."),
                        remark("Measured at the gateway. Dashed: the time before."),
                    ),
                    id="usage-shown",
                ),
                _nothing(),
            ),
        ),
        heading=Usage.heading,
        aside=rx.flex(each(Usage.legend, _entry), spacing="4", wrap="wrap", class_name="fb-legend"),
    )


def _entry(entry: LegendEntry) -> rx.Component:
    return rx.flex(
        rx.box(class_name="fb-swatch", background=entry.color),
        rx.text(entry.name, size="1", color_scheme="gray"),
        rx.text(entry.total, size="1", weight="medium"),
        align="center",
        spacing="2",
    )


def _nothing() -> rx.Component:
    """Say why there is no chart. That no call failed is good news, and needs no advice."""
    return rx.cond(
        Usage.of_events,
        empty(
            "chart-column",
            "Nothing was used in this time",
            "Choose a longer time, or clear the filters. Calls from the playground or with a key "
            "show here within two seconds.",
            button_link("Open the playground", routes.PLAYGROUND),
            id="usage-empty",
        ),
        empty(
            "chart-column",
            pick(
                Usage.show == "errors",
                "No call failed in this time",
                pick(
                    Usage.show == "refusals",
                    "No call was refused in this time",
                    "No call was timed in this time",
                ),
            ),
            "Only calls through the gateway are measured; usage that was sent as events has no "
            "times and no failures. Choose a longer time, or clear the filters.",
            button_link("See each call", routes.REQUESTS),
            id="usage-empty",
        ),
    )


def _table() -> rx.Component:
    return rx.cond(
        length(Usage.table) > 0,
        card(
            rx.box(
                rx.table.root(
                    rx.table.header(
                        rx.table.row(
                            rx.table.column_header_cell("When"),
                            each(Usage.table_head, _head),
                        )
                    ),
                    rx.table.body(each(Usage.table, _row)),
                    size="1",
                    width="100%",
                ),
                class_name="fb-scroll",
                tab_index=0,
                role="region",
                aria_label="Usage as a table",
            ),
            rx.cond(
                Usage.table_more > 0,
                remark(Usage.table_more, " older rows are in the CSV."),
            ),
            heading="The same in numbers",
            aside=rx.text(
                "Total ",
                rx.text.strong(Usage.total, id="usage-total"),
                size="2",
                color_scheme="gray",
            ),
        ),
    )


def _head(name: str) -> rx.Component:
    return rx.table.column_header_cell(name, class_name="fb-number")


def _row(row: TableRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(row.when, white_space="nowrap"),
        each(row.cells, lambda cell: rx.table.cell(cell, class_name="fb-number")),
    )
