"""One call: how it went, the event that bills it, and its bodies where they are kept."""

from __future__ import annotations

import reflex as rx

from portal.features.requests.state import Requests
from portal.kit.blocks import button_link, code, dialog_lead, facts
from portal.kit.dialogs import dialog


def call_details() -> rx.Component:
    """The dialog that a row opens; its address can be shared."""
    return dialog(
        "Call",
        dialog_lead("How it went, and what finds it elsewhere."),
        rx.cond(
            Requests.missing,
            rx.text("There is no such call in the log. Old ones are removed.", size="2"),
            facts(Requests.facts),
        ),
        rx.cond(
            Requests.asked != "",
            rx.box(
                _body("Asked", Requests.asked),
                _body("Answered", Requests.answered),
                rx.text(Requests.bodies_note, size="1", color_scheme="gray"),
                margin_top="var(--space-4)",
            ),
        ),
        rx.flex(
            rx.cond(Requests.event_at != "", button_link("Its event", Requests.event_at)),
            rx.spacer(),
            rx.dialog.close(rx.button("Close", variant="soft", color_scheme="gray")),
            spacing="3",
            wrap="wrap",
            margin_top="var(--space-5)",
        ),
        opened=Requests.call != "",
        close=Requests.close_call,
        width="44rem",
    )


def _body(title: str, text: str) -> rx.Component:
    return rx.box(
        rx.heading(title, as_="h2", size="2", weight="medium", margin_bottom="var(--space-2)"),
        rx.scroll_area(code(text, label=title), max_height="16rem"),
        margin_bottom="var(--space-3)",
    )
