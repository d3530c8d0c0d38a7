"""The form of filters: lists to choose from, fields to write in, and its buttons."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex.event import EventType

from portal.kit.choice import Choice
from portal.kit.fields import choice
from portal.kit.icon import icon
from portal.kit.vars import each, pick
from portal.shared.filters.question import ANY


def filter_form(
    lists: list[rx.Component],
    fields: list[rx.Component],
    *,
    filtered: bool,
    clear: EventType[()],
    search: Any,
) -> rx.Component:
    """What is chosen in ``lists`` holds at once, and what is written in ``fields`` when sent."""
    return rx.form(
        rx.grid(
            *lists,
            columns=rx.breakpoints(initial="2", md=str(len(lists))),
            spacing="3",
            margin_bottom="var(--space-3)",
        )
        if lists
        else rx.fragment(),
        rx.grid(
            *fields,
            _buttons(filtered, clear),
            columns=rx.breakpoints(initial="2", md="4"),
            spacing="3",
            align="start",
        ),
        on_submit=search,
        role="search",
        aria_label="Filters",
    )


def offered(
    label: str, everything: str, value: str, choose: Any, choices: list[Choice]
) -> rx.Component:
    """A list to choose from, or ``everything``; the value of that is empty."""
    return choice(
        label,
        pick(value == "", ANY, value),
        choose,
        rx.select.item(everything, value=ANY),
        each(choices, lambda choice: rx.select.item(choice.name, value=choice.id)),
    )


def between(span: str, since: rx.Component, until: rx.Component) -> rx.Component:
    """The fields of two times, which are there for the span ``between``; a row each on a phone."""
    return rx.cond(span == "between", rx.fragment(_row_on_a_phone(since), _row_on_a_phone(until)))


def _row_on_a_phone(field: rx.Component) -> rx.Component:
    return rx.box(field, grid_column=rx.breakpoints(initial="1 / -1", sm="auto"), min_width="0")


def _buttons(filtered: bool, clear: EventType[()]) -> rx.Component:
    return rx.flex(
        rx.button(icon("search", size=16), "Find", type="submit", variant="soft"),
        rx.cond(
            filtered,
            rx.button(
                "Clear",
                type="button",
                on_click=clear,
                variant="ghost",
                color_scheme="gray",
            ),
        ),
        align="center",
        spacing="4",
        padding_top="var(--space-5)",
    )
