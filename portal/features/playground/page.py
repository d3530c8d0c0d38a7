"""The playground: ask one model or several, watch the answers, their tokens and their cost."""

from __future__ import annotations

import reflex as rx

from portal.features.playground.state import Playground
from portal.features.playground.view.code_dialog import code_button, code_dialog
from portal.features.playground.view.conversation import conversation
from portal.features.playground.view.history_dialogs import (
    history_buttons,
    history_dialog,
    prompts_dialog,
)
from portal.features.playground.view.parameter_panel import parameter_panel
from portal.features.playground.view.pictures import attached, picture_button
from portal.features.playground.view.pieces_dialog import pieces_dialog
from portal.kit.blocks import empty
from portal.kit.icon import icon
from portal.kit.vars import length, negated, pick
from portal.shell.feature import Page
from portal.shell.loaded import loaded

WRITING_MS = 400
"""How long nobody writes before what is written is counted."""


def page() -> Page:
    """The page."""
    return Page(
        state=Playground,
        content=(
            loaded(
                Playground,
                rx.cond(length(Playground.models) > 0, _bench(), _no_models()),
                skeleton=rx.skeleton(height="32rem", width="100%"),
            ),
            code_dialog(),
            history_dialog(),
            prompts_dialog(),
            pieces_dialog(),
        ),
        query=Playground.query,
        lead="Calls from here are metered and billed like any other.",
        actions=rx.flex(
            rx.cond(Playground.develops, history_buttons()),
            code_button(),
            _share(),
            _clear(),
            spacing="2",
            wrap="wrap",
        ),
    )


def _share() -> rx.Component:
    return rx.cond(
        length(Playground.turns) > 0,
        rx.menu.root(
            rx.menu.trigger(
                rx.button(icon("share", size=16), "Share", variant="soft", color_scheme="gray")
            ),
            rx.menu.content(
                rx.cond(
                    Playground.shared,
                    rx.menu.item("Stop sharing it", on_click=Playground.share(False)),
                    rx.menu.item("Share it with the organization", on_click=Playground.share(True)),
                ),
                rx.menu.separator(),
                rx.menu.item("Download as Markdown", on_click=Playground.export("markdown")),
                rx.menu.item("Download as JSON", on_click=Playground.export("json")),
            ),
        ),
    )


def _clear() -> rx.Component:
    return rx.button(
        icon("square-pen", size=16),
        "New",
        on_click=Playground.clear,
        variant="soft",
        color_scheme="gray",
        disabled=length(Playground.turns) == 0,
    )


def _bench() -> rx.Component:
    return rx.box(
        rx.box(conversation(), attached(), _ask(), class_name="fb-bench"),
        parameter_panel(),
        class_name="fb-playground",
    )


def _ask() -> rx.Component:
    return rx.form(
        rx.box(
            rx.text_area(
                id="question",
                name="question",
                placeholder="Ask something…",
                aria_label="Your question",
                rows="2",
                enter_key_submit=True,
                resize="vertical",
                variant="soft",
                color_scheme="gray",
                on_change=Playground.count.debounce(WRITING_MS),
                disabled=negated(Playground.develops),
            ),
            rx.flex(
                picture_button(),
                rx.text(
                    pick(
                        Playground.develops,
                        pick(
                            Playground.draft != "",
                            Playground.draft,
                            "Enter sends, Shift+Enter makes a new line.",
                        ),
                        "Your role here may look, but not call models.",
                    ),
                    size="1",
                    color_scheme="gray",
                    id="draft",
                    role="status",
                ),
                rx.spacer(),
                _send(),
                spacing="3",
                align="center",
                wrap="wrap",
            ),
            class_name="fb-composer",
        ),
        rx.cond(
            Playground.wrongs > 0,
            rx.text(
                "A parameter can’t be sent: its field says why.",
                size="1",
                color_scheme="red",
                role="alert",
                margin_top="var(--space-2)",
            ),
        ),
        on_submit=Playground.ask,
    )


def _send() -> rx.Component:
    return rx.cond(
        Playground.busy,
        rx.button(
            icon("square", size=14),
            "Stop",
            type="button",
            on_click=Playground.stop,
            color_scheme="red",
            variant="soft",
        ),
        rx.button(
            icon("arrow-up", size=16),
            "Send",
            type="submit",
            disabled=negated(Playground.develops),
        ),
    )


def _no_models() -> rx.Component:
    return rx.card(
        empty(
            "cpu",
            "No model is available",
            "Whoever runs this installation has to connect a provider, or start the local model.",
        )
    )
