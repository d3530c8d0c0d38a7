"""Usage: what was used when, by what, live."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventType

from portal import routes
from portal.features.usage.question import RANGES, SPLITS
from portal.features.usage.rows import LegendEntry, TableRow
from portal.features.usage.state import SHOWN, Usage
from portal.kit.blocks import button_link, card, empty
from portal.kit.fields import choice
from portal.kit.plain import csv_button
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
                rx.flex(_choices(), _chart(), _table(), direction="column", spacing="5"),
                retry=Usage.watch,
            ),
        ),
        lead="Every call as it is metered. The chart updates live.",
        actions=csv_button(Usage.csv),
    )


def _choices() -> rx.Component:
    return rx.flex(
        rx.segmented_control.root(
            *[rx.segmented_control.item(name, value=key) for key, name in SHOWN.items()],
            value=Usage.show,
            on_change=Usage.choose_show,
            aria_label="What to count",
        ),
        _select("Range", Usage.chosen, Usage.choose_range, RANGES),
        choice(
            "Bar width",
            Usage.width,
            Usage.choose_width,
            each(Usage.widths, lambda choice: rx.select.item(choice.name, value=choice.id)),
            width="auto",
        ),
        _select("Split by", Usage.split, Usage.choose_split, SPLITS),
        rx.spacer(),
        rx.cond(
            Usage.last_event != "",
            rx.flex(
                rx.box(class_name="fb-live"),
                rx.text(Usage.last_event, size="1", color_scheme="gray"),
                align="center",
                spacing="2",
            ),
        ),
        spacing="3",
        wrap="wrap",
        align="center",
    )


def _select(label: str, value: str, choose: EventType[()], options: dict[str, str]) -> rx.Component:
    return choice(
        label,
        value,
        choose,
        *[rx.select.item(name, value=key) for key, name in options.items()],
        width="auto",
    )


def _chart() -> rx.Component:
    return card(
        rx.cond(
            Usage.phase == "loading",
            rx.skeleton(height="300px", width="100%"),
            rx.cond(
                length(Usage.rows) > 0,
                rx.box(
                    vega_chart(spec=Usage.spec, rows=Usage.rows, description=Usage.description),
                    id="usage-shown",
                ),
                empty(
                    "chart-column",
                    "Nothing was used in this time",
                    "Ask a model something in the playground, or call the API with a key: it shows "
                    "here within two seconds.",
                    button_link("Open the playground", routes.PLAYGROUND),
                    id="usage-empty",
                ),
            ),
        ),
        heading=pick(Usage.show == "tokens", "Tokens", "Requests"),
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
