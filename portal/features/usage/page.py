"""Usage: what was used when, by what, live."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventType

from portal import routes
from portal.features.usage.chart import HEIGHT
from portal.features.usage.question import RANGES, SHOWN
from portal.features.usage.rows import LegendEntry, TableRow
from portal.features.usage.state import ANY, Usage
from portal.kit.blocks import button_link, card, empty
from portal.kit.choice import Choice
from portal.kit.fields import choice
from portal.kit.icon import icon
from portal.kit.plain import csv_button, file_button
from portal.kit.tables import remark
from portal.kit.vars import as_text, each, length, pick
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
                    _choices(), _filters(), _chart(), _table(), direction="column", spacing="5"
                ),
                retry=Usage.watch,
            ),
        ),
        query=Usage.query,
        lead="Every call as it is metered. The chart updates live.",
        actions=rx.flex(csv_button(Usage.csv), file_button("Parquet", Usage.parquet), spacing="2"),
    )


def _content() -> rx.Component:
    return rx.flex(
        rx.flex(_choices(), _filters(), direction="column", spacing="3"),
        _chart(),
        _table(),
        direction="column",
        spacing="5",
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
        choice(
            "Split by",
            Usage.split,
            Usage.choose_split,
            each(Usage.splits, lambda choice: rx.select.item(choice.name, value=choice.id)),
            width="auto",
        ),
        rx.spacer(),
        rx.cond(
            Usage.last_event != "",
            rx.flex(
                rx.box(class_name=pick(Usage.problem == "", "fb-live", "fb-still")),
                rx.text(Usage.last_event, size="1", color_scheme="gray"),
                align="center",
                spacing="2",
            ),
        ),
        spacing="3",
        wrap="wrap",
        align="center",
    )


def _filters() -> rx.Component:
    return rx.flex(
        _from("application", "Application", "Any application", Usage.applications),
        _from("key", "API key", "Any key", Usage.keys),
        _from("model", "Model", "Any model", Usage.models),
        rx.box(
            rx.input(
                aria_label="Label",
                aria_describedby="usage-label-problem",
                placeholder="Label: team=search",
                default_value=Usage.label,
                key="label-" + as_text(Usage.cleared),
                on_blur=Usage.choose_label,
                max_length=200,
                auto_complete="off",
                width="12rem",
            ),
            rx.text(Usage.label_problem, size="1", color_scheme="red", id="usage-label-problem"),
        ),
        rx.cond(
            Usage.filtered,
            rx.button(
                icon("x", size=14),
                "Clear filters",
                on_click=Usage.clear_filters,
                variant="ghost",
                color_scheme="gray",
            ),
        ),
        spacing="3",
        wrap="wrap",
        align="center",
        role="search",
        aria_label="Filters",
    )


def _from(field: str, label: str, everything: str, offered: list[Choice]) -> rx.Component:
    return choice(
        label,
        getattr(Usage, field),
        Usage.choose_filter(field),
        rx.select.item(everything, value=ANY),
        each(offered, lambda choice: rx.select.item(choice.name, value=choice.id)),
        width="auto",
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
                    remark("A bar leads to its events."),
                    id="usage-shown",
                ),
                empty(
                    "chart-column",
                    "Nothing was used in this time",
                    "Look at a longer time or clear the filters; or ask a model something in the "
                    "playground, or call the API with a key: it shows "
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
