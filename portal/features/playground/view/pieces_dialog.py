"""A text by its tokens."""

from __future__ import annotations

import reflex as rx

from portal.features.playground.state import Playground
from portal.features.playground.view.drawn_text import token_text
from portal.kit.blocks import dialog_lead
from portal.kit.dialogs import dialog, dialog_buttons


def pieces_dialog() -> rx.Component:
    """The text of a question or an answer, each token on a ground of its own."""
    return dialog(
        "Tokens",
        dialog_lead(Playground.pieces_note),
        rx.box(token_text(pieces=Playground.pieces), margin_top="var(--space-3)"),
        dialog_buttons(leave="Close"),
        opened=Playground.showing_pieces,
        close=Playground.show_pieces("", ""),
        width="44rem",
    )
