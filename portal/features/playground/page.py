"""The playground: ask a model, watch the answer, its tokens and its cost."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventCallback

from portal.features.playground.rows import Message, ModelChoice
from portal.features.playground.state import Playground
from portal.kit.blocks import code, dialog_lead, empty
from portal.kit.icon import icon
from portal.kit.vars import as_text, each, length, negated, pick
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
            _view_code(),
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
        rx.flex(_counts(), _parameters(), direction="column", spacing="4"),
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


def _parameters() -> rx.Component:
    return rx.card(
        rx.flex(
            rx.box(
                _label("Model"),
                rx.select.root(
                    rx.select.trigger(width="100%", aria_label="Model"),
                    rx.select.content(each(Playground.models, _model)),
                    value=Playground.model,
                    on_change=Playground.choose_model,
                ),
                rx.text(
                    Playground.about, size="1", color_scheme="gray", margin_top="var(--space-2)"
                ),
            ),
            rx.box(
                _label("System prompt"),
                rx.text_area(
                    default_value=Playground.system,
                    on_blur=Playground.set_system,
                    rows="3",
                    resize="vertical",
                    aria_label="System prompt",
                ),
            ),
            _slider(
                "Temperature",
                Playground.temperature,
                Playground.set_temperature,
                low=0,
                high=2,
                step=0.1,
                id_="temperature",
            ),
            _slider(
                "Max tokens",
                Playground.max_tokens,
                Playground.set_max_tokens,
                low=16,
                high=Playground.longest,
                step=16,
                id_="max-tokens",
            ),
            direction="column",
            spacing="4",
        ),
        size="2",
    )


def _label(text: str) -> rx.Component:
    return rx.text(text, size="2", weight="medium", margin_bottom="var(--space-1)")


def _slider(
    name: str,
    value: float,
    change: EventCallback[float],
    *,
    low: float,
    high: float,
    step: float,
    id_: str,
) -> rx.Component:
    """A range as browsers have it: Radix's slider has no name for a screen reader."""
    return rx.box(
        rx.flex(
            rx.el.label(rx.text(name, size="2", weight="medium"), html_for=f"{id_}-slider"),
            rx.text(as_text(value), size="2", color_scheme="gray", id=id_),
            justify="between",
            margin_bottom="var(--space-1)",
        ),
        rx.el.input(
            type="range",
            id=f"{id_}-slider",
            default_value=as_text(value),
            min=low,
            max=high,
            step=step,
            on_change=change.debounce(100),
            class_name="fb-range",
        ),
    )


def _model(model: ModelChoice) -> rx.Component:
    return rx.select.item(model.name, value=model.id)


def _no_models() -> rx.Component:
    return rx.card(
        empty(
            "cpu",
            "No model is available",
            "Whoever runs this installation has to connect a provider, or start the local model.",
        )
    )


def _view_code() -> rx.Component:
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
