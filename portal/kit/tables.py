"""Tables: their heads, how wide they are, and the cells that many have."""

from __future__ import annotations

import json
from typing import Any, Literal

import reflex as rx
from reflex.event import EventType

UNSEEN = frozenset({"Actions", "Files"})
"""Headings of what says itself what it is to those who see it."""
MOST_NARROW_COLUMNS = 3
"""What a phone has room for side by side."""


def table(
    called: str,
    headings: tuple[str, ...],
    *rows: rx.Component,
    numbers: tuple[str, ...] = (),
    wide_only: tuple[str, ...] = (),
    long: bool = False,
    **props: Any,
) -> rx.Component:
    """Rows under their headings; ``called`` is its id, ``numbers`` are headings to the right.

    ``wide_only`` are headings that a phone does not show; their cells have ``fb-wide-only`` too.
    On a phone or a small tablet the rows of a table with more than three columns, and of fewer
    with ``long`` texts in them, are cards: the first cell on top, the others below with their
    headings.
    """
    if long or len(headings) > MOST_NARROW_COLUMNS:
        props.setdefault("class_name", "fb-cards")
        props.setdefault("style", _named_columns(headings))
    heads = [
        _heading(heading, is_number=heading in numbers, wide_only=heading in wide_only)
        for heading in headings
    ]
    return rx.table.root(
        rx.table.header(rx.table.row(*heads)),
        rx.table.body(*rows),
        width="100%",
        id=called,
        **props,
    )


def wide_table(
    called: str,
    headings: tuple[str, ...],
    *rows: rx.Component,
    numbers: tuple[str, ...] = (),
    wide_only: tuple[str, ...] = (),
    long: bool = False,
    **props: Any,
) -> rx.Component:
    """A table that scrolls where it is wider than its place."""
    content = table(
        called, headings, *rows, numbers=numbers, wide_only=wide_only, long=long, **props
    )
    return rx.box(content, class_name="fb-wide")


def moment(time: str, day: str) -> rx.Component:
    """A cell that says when."""
    return rx.table.cell(
        rx.text(time, size="2"),
        rx.text(day, size="1", color_scheme="gray"),
        white_space="nowrap",
    )


def row_action(text: str, on_click: EventType[()], *, label: str, **props: Any) -> rx.Component:
    """What can be done with a row; ``label`` names it for those who don't see the row."""
    # A long name that breaks stays at its side
    props.setdefault("text_align", "left")
    return rx.button(text, variant="ghost", on_click=on_click, aria_label=label, **props)


def actions(*content: rx.Component) -> rx.Component:
    """The cell at the end of a row, with what can be done with it."""
    return rx.table.cell(*content, text_align="right")


def several_actions(*content: rx.Component) -> rx.Component:
    """The cell at the end of a row with several things to do, side by side on any screen."""
    return actions(
        rx.flex(
            *content,
            spacing="4",
            justify="end",
            width="max-content",
            margin_left="auto",
            padding_left="var(--space-3)",
        )
    )


def remark(*text: str | int, size: Literal["1", "2"] = "1") -> rx.Component:
    """What there is to say of a table, under it."""
    return rx.text(*text, size=size, color_scheme="gray", margin_top="var(--space-3)")


def _named_columns(headings: tuple[str, ...]) -> dict[str, str]:
    """The headings as the style sheet puts them into the cells of a card."""
    return {
        f"--heading-{place}": "none"
        if heading in UNSEEN
        else json.dumps(heading, ensure_ascii=False)
        for place, heading in enumerate(headings, 1)
    }


def _heading(text: str, *, is_number: bool, wide_only: bool) -> rx.Component:
    shown = rx.el.span(text, class_name="fb-unseen") if text in UNSEEN else text
    classes = [name for name, on in (("fb-number", is_number), ("fb-wide-only", wide_only)) if on]
    if classes:
        return rx.table.column_header_cell(shown, class_name=" ".join(classes))
    return rx.table.column_header_cell(shown)
