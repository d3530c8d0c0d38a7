"""Tables: their heads, how wide they are, and the cells that many have."""

from __future__ import annotations

from typing import Any, Literal

import reflex as rx
from reflex.event import EventType

UNSEEN = frozenset({"Actions", "Files"})
"""Headings of what says itself what it is to those who see it."""


def table(
    called: str,
    headings: tuple[str, ...],
    *rows: rx.Component,
    numbers: tuple[str, ...] = (),
    **props: Any,
) -> rx.Component:
    """Rows under their headings; ``called`` is its id, ``numbers`` are headings to the right."""
    return rx.table.root(
        rx.table.header(
            rx.table.row(*[_heading(heading, is_number=heading in numbers) for heading in headings])
        ),
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
    **props: Any,
) -> rx.Component:
    """A table that scrolls where it is wider than its place."""
    return rx.box(table(called, headings, *rows, numbers=numbers, **props), class_name="fb-wide")


def moment(time: str, day: str) -> rx.Component:
    """A cell that says when."""
    return rx.table.cell(
        rx.text(time, size="2"),
        rx.text(day, size="1", color_scheme="gray"),
        white_space="nowrap",
    )


def row_action(text: str, on_click: EventType[()], *, label: str, **props: Any) -> rx.Component:
    """What can be done with a row; ``label`` names it for those who don't see the row."""
    return rx.button(text, variant="ghost", on_click=on_click, aria_label=label, **props)


def actions(*content: rx.Component) -> rx.Component:
    """The cell at the end of a row, with what can be done with it."""
    return rx.table.cell(*content, text_align="right")


def remark(*text: str | int, size: Literal["1", "2"] = "1") -> rx.Component:
    """What there is to say of a table, under it."""
    return rx.text(*text, size=size, color_scheme="gray", margin_top="var(--space-3)")


def _heading(text: str, *, is_number: bool) -> rx.Component:
    shown = rx.el.span(text, class_name="fb-unseen") if text in UNSEEN else text
    if is_number:
        return rx.table.column_header_cell(shown, class_name="fb-number")
    return rx.table.column_header_cell(shown)
