"""The playground: ask a model, watch the answer, its tokens and its cost."""

from __future__ import annotations

import reflex as rx

from portal.features.playground.code_dialog import code_dialog
from portal.features.playground.parameters import parameters
from portal.features.playground.rows import Message
from portal.features.playground.state import Playground
from portal.kit.blocks import empty
from portal.kit.icon import icon
from portal.kit.vars import each, length, negated, pick
from portal.shell.feature import Page
from portal.shell.loaded import loaded

SUGGESTIONS = (
    "Why is the sky blue?",
    "Explain a token in one sentence.",
    "Write a haiku about rain.",
)


def page() -> Page:
    """The page."""
    return Page(
        state=Playground,
        content=(
            loaded(
                Playground,
                rx.cond(length(Playground.models) > 0, _bench(), _no_models()),
                retry=Playground.load,
                skeleton=rx.skeleton(height="32rem", width="100%"),
            ),
        ),
        lead="Calls from here are metered and billed like any other.",
        actions=rx.flex(
            code_dialog(),
            rx.button(
                icon("eraser", size=16),
                "Clear",
                on_click=Playground.clear,
                variant="soft",
                color_scheme="gray",
                disabled=length(Playground.messages) == 0,
            ),
            spacing="3",
        ),
    )


def _bench() -> rx.Component:
    return rx.grid(
        rx.card(
            rx.flex(_conversation(), _ask(), direction="column", height="100%"),
            size="2",
            class_name="fb-bench",
        ),
        rx.flex(_counts(), parameters(), direction="column", spacing="4"),
        columns=rx.breakpoints(initial="1", md="minmax(0, 1fr) 19rem"),
        spacing="4",
    )


def _conversation() -> rx.Component:
    return rx.auto_scroll(
        rx.cond(
            length(Playground.messages) > 0,
            rx.flex(each(Playground.messages, _message), direction="column", spacing="5"),
            empty(
                "message-square-text",
                "Ask the model something",
                "The answer streams in; tokens and cost count along.",
                *[_suggestion(question) for question in SUGGESTIONS],
                min_height="100%",
            ),
        ),
        flex_grow="1",
        min_height="0",
        padding="var(--space-2)",
        tab_index=0,
        role="log",
        aria_label="Conversation",
    )


def _suggestion(question: str) -> rx.Component:
    return rx.button(
        question,
        on_click=Playground.ask({"question": question}),
        variant="soft",
        color_scheme="gray",
        size="2",
        disabled=negated(Playground.develops),
    )


def _message(message: Message) -> rx.Component:
    mine = message.role == "user"
    return rx.box(
        rx.text(
            pick(mine, "You", "Model"),
            size="1",
            weight="medium",
            color_scheme="gray",
            margin_bottom="var(--space-1)",
        ),
        rx.box(
            rx.text(
                message.text,
                as_="div",
                size="3",
                class_name=pick(message.streaming, "fb-said fb-typing", "fb-said"),
            ),
            background=pick(mine, "var(--accent-a2)", "transparent"),
            border_radius="var(--radius-4)",
            padding=pick(mine, "var(--space-2) var(--space-3)", "0"),
        ),
        rx.cond(
            message.note != "",
            rx.text(message.note, size="1", color_scheme="gray", margin_top="var(--space-2)"),
        ),
    )


def _ask() -> rx.Component:
    return rx.form(
        rx.flex(
            rx.text_area(
                id="question",
                name="question",
                placeholder="Ask something…",
                aria_label="Your question",
                rows="2",
                enter_key_submit=True,
                resize="vertical",
                flex_grow="1",
                disabled=negated(Playground.develops),
            ),
            rx.cond(
                Playground.streaming,
                rx.button(
                    icon("square", size=14),
                    "Stop",
                    type="button",
                    on_click=Playground.stop,
                    color_scheme="red",
                    variant="soft",
                    size="3",
                ),
                rx.button(
                    icon("arrow-up", size=16),
                    "Send",
                    type="submit",
                    size="3",
                    disabled=negated(Playground.develops),
                ),
            ),
            spacing="3",
            align="end",
        ),
        rx.text(
            pick(
                Playground.develops,
                "Enter sends, Shift+Enter makes a new line.",
                "Your role here may look, but not call models.",
            ),
            size="1",
            color_scheme="gray",
            margin_top="var(--space-2)",
        ),
        on_submit=Playground.ask,
        padding_top="var(--space-3)",
    )


def _counts() -> rx.Component:
    return rx.card(
        rx.grid(
            _count("Input tokens", Playground.tokens_in, "tokens-in"),
            _count("Output tokens", Playground.tokens_out, "tokens-out"),
            _count("Cost", Playground.spent, "cost"),
            columns="auto auto auto",
            justify="between",
            spacing="3",
        ),
        size="2",
    )


def _count(name: str, value: str, id_: str) -> rx.Component:
    return rx.box(
        rx.text(name, size="1", color_scheme="gray"),
        rx.text(value, size="3", weight="medium", id=id_, margin_top="2px", white_space="nowrap"),
    )


def _no_models() -> rx.Component:
    return rx.card(
        empty(
            "cpu",
            "No model is available",
            "Whoever runs this installation has to connect a provider, or start the local model.",
        )
    )
