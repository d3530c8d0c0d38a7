"""The catalog of models: a list to search and pick from, and the picked ones side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import reflex as rx

from portal.features.models.state import MOST_COMPARED, Models
from portal.kit.blocks import card, empty, loading_rows
from portal.kit.icon import icon
from portal.kit.tables import table
from portal.kit.tick_box import tick_box
from portal.kit.vars import as_text, each, length, negated, pick
from portal.shared.models.rows import NOT_MEASURED, ModelRow
from portal.shell.feature import Page
from portal.shell.loaded import loaded

FACTS: tuple[tuple[str, Callable[[ModelRow], str]], ...] = (
    ("Status", lambda model: model.status),
    ("Context window", lambda model: model.context + " tokens"),
    ("Longest answer", lambda model: model.output + " tokens"),
    ("Input", lambda model: model.input_price),
    ("Cached input", lambda model: model.cached_price),
    ("Output", lambda model: model.output_price),
    ("First token, median", lambda model: model.first_token),
    ("Whole answer, median", lambda model: model.total),
    ("Errors", lambda model: model.errors),
    ("Tokenizer", lambda model: model.tokenizer),
)
"""The rows of a comparison: what is compared, and where a model has it."""
COLUMNS = (
    "Compare",
    "Model",
    "Context",
    "Input",
    "Output",
    "First token",
    "Errors",
    "Actions",
)


def page() -> Page:
    """The page."""
    return Page(
        state=Models,
        content=(
            loaded(
                Models,
                rx.cond(
                    length(Models.models) > 0,
                    rx.cond(Models.comparing, _comparison(), _catalog()),
                    card(
                        empty(
                            "boxes",
                            "No models yet",
                            "The provider of this API has put no model on sale.",
                        )
                    ),
                ),
                skeleton=card(loading_rows(6)),
            ),
        ),
        lead="Prices are those of your plan. Times and errors are measured at the gateway, over "
        "the last 24 hours.",
        query=Models.query,
    )


def _catalog() -> rx.Component:
    return rx.box(
        rx.flex(
            rx.input(
                rx.input.slot(icon("search", size=16)),
                default_value=Models.search,
                key=as_text(Models.cleared),
                on_change=cast(Any, Models.find).debounce(200),
                placeholder="Search models",
                aria_label="Search models",
                max_length=100,
                width="18rem",
                max_width="100%",
            ),
            rx.flex(
                rx.text(
                    pick(
                        Models.is_full,
                        f"{MOST_COMPARED} at most",
                        as_text(length(Models.picked)) + " picked",
                    ),
                    size="2",
                    color_scheme="gray",
                    role="status",
                ),
                rx.button(
                    icon("columns-2", size=16),
                    "Compare",
                    on_click=Models.compare(True),
                    disabled=negated(Models.can_compare),
                    variant="soft",
                ),
                align="center",
                spacing="3",
            ),
            justify="between",
            align="center",
            spacing="3",
            wrap="wrap",
            margin_bottom="var(--space-4)",
        ),
        rx.cond(
            length(Models.shown) > 0,
            rx.box(
                table(
                    "models",
                    COLUMNS,
                    each(Models.shown, _row),
                    numbers=COLUMNS[2:-1],
                    # Stacked by a look of its own on a phone, not as cards
                    class_name="fb-catalog",
                ),
                class_name="fb-stacked",
            ),
            empty(
                "search-x",
                "No matching models",
                "No model on sale has this in its name.",
                rx.button("Show all", on_click=Models.clear, variant="soft"),
                id="no-models",
            ),
        ),
    )


def _row(model: ModelRow) -> rx.Component:
    is_picked = cast(Any, Models.picked).contains(model.id)
    return rx.table.row(
        rx.table.cell(
            rx.el.label(
                rx.el.span("Compare " + model.name, class_name="fb-unseen"),
                tick_box(
                    checked=is_picked,
                    disabled=Models.is_full & ~is_picked,
                    on_change=lambda wanted: cast(Any, Models.pick)(model.id, wanted),
                    aria_label="Compare " + model.name,
                ),
            ),
            class_name="fb-tick",
        ),
        rx.table.row_header_cell(
            rx.flex(
                rx.link(model.name, href=model.page, weight="medium"),
                rx.cond(
                    model.usable,
                    rx.fragment(),
                    rx.badge(model.status, color_scheme="gray", size="1"),
                ),
                align="center",
                spacing="2",
                wrap="wrap",
            ),
            rx.text(model.id, size="1", color_scheme="gray", class_name="fb-id"),
            min_width="12rem",
        ),
        _cell("Context", model.context),
        _price("Input", model.input_amount, model.input_unit),
        _price("Output", model.output_amount, model.output_unit),
        _measured("First token", model.first_token),
        _measured("Errors", model.errors),
        rx.table.cell(
            rx.cond(
                model.usable,
                rx.button(
                    rx.link(
                        "Try",
                        href=model.playground,
                        underline="none",
                        aria_label="Try " + model.name + " in the playground",
                    ),
                    as_child=True,
                    variant="soft",
                    size="1",
                ),
            ),
            text_align="right",
        ),
        vertical_align="middle",
        data_model=model.id,
    )


def _cell(heading: str, text: str) -> rx.Component:
    """A cell with its heading, which a phone shows beside it."""
    return rx.table.cell(text, class_name="fb-number", data_heading=heading)


def _price(heading: str, amount: str, unit: str) -> rx.Component:
    """A price in two lines, so that no column is too narrow for either."""
    return rx.table.cell(
        rx.box(
            rx.text(amount, size="2"),
            rx.cond(unit != "", rx.text(unit, size="1", color_scheme="gray")),
            text_align="right",
        ),
        class_name="fb-number",
        data_heading=heading,
    )


def _measured(heading: str, text: str) -> rx.Component:
    return rx.table.cell(
        rx.cond(
            text == NOT_MEASURED,
            rx.text(
                rx.el.span("–", aria_hidden="true"),
                rx.el.span(NOT_MEASURED, class_name="fb-unseen"),
                size="2",
                color_scheme="gray",
                title=NOT_MEASURED,
            ),
            rx.text(text, size="2"),
        ),
        class_name="fb-number",
        data_heading=heading,
    )


def _comparison() -> rx.Component:
    return rx.box(
        rx.flex(
            rx.button(
                icon("arrow-left", size=16),
                "All models",
                on_click=Models.compare(False),
                variant="soft",
                color_scheme="gray",
            ),
            rx.cond(
                Models.playground != "",
                rx.button(
                    rx.link("Ask them the same", href=Models.playground, underline="none"),
                    as_child=True,
                ),
            ),
            justify="between",
            spacing="3",
            wrap="wrap",
            margin_bottom="var(--space-4)",
        ),
        rx.box(
            rx.table.root(
                rx.table.header(
                    rx.table.row(
                        rx.table.column_header_cell(rx.el.span("Compared", class_name="fb-unseen")),
                        each(Models.compared, _column),
                    )
                ),
                rx.table.body(*[_fact(name, fact) for name, fact in FACTS]),
                width="100%",
                id="comparison",
            ),
            class_name="fb-wide",
            tab_index=0,
            role="region",
            aria_label="Models side by side",
        ),
    )


def _column(model: ModelRow) -> rx.Component:
    return rx.table.column_header_cell(
        rx.flex(
            rx.link(model.name, href=model.page),
            rx.icon_button(
                icon("x", size=14),
                on_click=Models.pick(model.id, False),
                variant="ghost",
                color_scheme="gray",
                size="1",
                aria_label="Take " + model.name + " out",
            ),
            align="center",
            spacing="3",
        ),
        min_width="10rem",
    )


def _fact(name: str, fact: Callable[[ModelRow], str]) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(rx.text(name, size="2", color_scheme="gray")),
        each(Models.compared, lambda model: rx.table.cell(fact(model))),
    )
