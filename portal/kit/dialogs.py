"""Dialogs that the state opens, and how each ends."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventType

from portal.kit.focus import return_focus


def dialog(
    title: str | rx.Component,
    lead: rx.Component,
    *content: rx.Component,
    opened: bool,
    close: EventType[()],
    width: str,
) -> rx.Component:
    """A dialog that is there while ``opened`` says so; ``lead`` is what it is for.

    Only the state opens it, so that every change by the browser is a close.
    """
    return rx.dialog.root(
        rx.dialog.content(
            return_focus(),
            rx.dialog.title(title),
            lead,
            *content,
            max_width=width,
            min_width="0",
        ),
        open=opened,
        on_open_change=close,
    )


def dialog_buttons(*doing: rx.Component, leave: str = "Cancel") -> rx.Component:
    """The end of a dialog: what leaves everything as it is, and then what does something."""
    return rx.flex(
        rx.dialog.close(rx.button(leave, type="button", variant="soft", color_scheme="gray")),
        *doing,
        spacing="3",
        justify="end",
        wrap="wrap",
        margin_top="var(--space-5)",
    )


def confirmation(
    trigger: rx.Component, question: str, about: str, doing: rx.Component
) -> rx.Component:
    """What ``trigger`` begins is done after a second press only: it can't be undone."""
    return rx.alert_dialog.root(
        rx.alert_dialog.trigger(trigger),
        rx.alert_dialog.content(
            rx.alert_dialog.title(question),
            rx.alert_dialog.description(about),
            rx.flex(
                rx.alert_dialog.cancel(rx.button("Cancel", variant="soft", color_scheme="gray")),
                rx.alert_dialog.action(doing),
                spacing="3",
                justify="end",
                margin_top="var(--space-5)",
            ),
            max_width="28rem",
        ),
    )
