"""A secret or a link that a dialog shows once, with a button that copies it."""

from __future__ import annotations

import reflex as rx

from portal.kit.copy_button import copy_button


def shown_once(secret: str, label: str, *beside: rx.Component, called: str) -> rx.Component:
    """The secret, to be copied now; ``called`` is its id, ``beside`` stands left of the buttons."""
    return rx.flex(
        rx.el.code(
            secret,
            id=called,
            class_name="fb-code",
            tab_index=0,
            style={"whiteSpace": "normal", "overflowWrap": "anywhere"},
        ),
        rx.flex(
            *beside,
            rx.spacer(),
            copy_button(text=secret, label=label, variant="solid", size="2"),
            rx.dialog.close(rx.button("Done", variant="soft", color_scheme="gray")),
            spacing="3",
            wrap="wrap",
        ),
        direction="column",
        spacing="4",
        margin_top="var(--space-4)",
    )
