"""The conversation as code, in three languages."""

from __future__ import annotations

import reflex as rx

from portal.features.playground.state import Playground
from portal.kit.blocks import code, dialog_lead
from portal.kit.icon import icon


def code_dialog() -> rx.Component:
    """The button, and the dialog with the code."""
    kinds = (
        ("Python", Playground.as_python, "pip install openai"),
        ("JavaScript", Playground.as_javascript, "npm install openai"),
        ("curl", Playground.as_curl, ""),
    )
    return rx.dialog.root(
        rx.dialog.trigger(
            rx.button(icon("code-xml", size=16), "View code", variant="soft", color_scheme="gray")
        ),
        rx.dialog.content(
            rx.dialog.title("This conversation in code"),
            dialog_lead(
                "The key is read from FAREBOX_API_KEY; create one on the API keys page.",
            ),
            rx.tabs.root(
                rx.tabs.list(*[rx.tabs.trigger(name, value=name) for name, _, _ in kinds]),
                *[
                    rx.tabs.content(
                        rx.text(
                            install, size="1", color_scheme="gray", margin_bottom="var(--space-2)"
                        )
                        if install
                        else rx.fragment(),
                        rx.box(
                            code(text, label=f"{name} code"), max_height="26rem", overflow="auto"
                        ),
                        value=name,
                        padding_top="var(--space-3)",
                    )
                    for name, text, install in kinds
                ],
                default_value="Python",
                margin_top="var(--space-3)",
            ),
            max_width="44rem",
        ),
    )
