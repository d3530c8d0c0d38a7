"""The next request as code, in five languages."""

from __future__ import annotations

import reflex as rx

from portal.features.playground.state import Playground
from portal.kit.blocks import code, dialog_lead
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.icon import icon
from portal.session.page import READY


def code_button() -> rx.Component:
    """Opens the dialog."""
    return rx.button(
        icon("code-xml", size=16),
        "View code",
        on_click=Playground.show_code(True),
        # Until it is known which models there are, there is nothing to show
        disabled=Playground.phase != READY,
        variant="soft",
        color_scheme="gray",
    )


def code_dialog() -> rx.Component:
    """The dialog with the code; its samples are made when it opens."""
    kinds = (
        ("Python", Playground.as_python, "pip install openai"),
        ("JavaScript", Playground.as_javascript, "Node 18 or newer, no package"),
        ("curl", Playground.as_curl, ""),
        ("Go", Playground.as_go, "Go 1.20 or newer, no module: go run ask.go"),
        ("Java", Playground.as_java, "Java 17 or newer, no package: java Ask.java"),
    )
    return dialog(
        "This conversation in code",
        dialog_lead(
            "The key is read from FAREBOX_API_KEY; create one on the API keys page.",
        ),
        rx.tabs.root(
            rx.tabs.list(*[rx.tabs.trigger(name, value=name) for name, _, _ in kinds]),
            *[
                rx.tabs.content(
                    rx.text(note, size="1", color_scheme="gray", margin_bottom="var(--space-2)")
                    if note
                    else rx.fragment(),
                    rx.box(code(text, label=f"{name} code"), max_height="26rem", overflow="auto"),
                    value=name,
                    padding_top="var(--space-3)",
                )
                for name, text, note in kinds
            ],
            default_value="Python",
            margin_top="var(--space-3)",
        ),
        dialog_buttons(leave="Close"),
        opened=Playground.showing_code,
        close=Playground.show_code(False),
        width="44rem",
    )
