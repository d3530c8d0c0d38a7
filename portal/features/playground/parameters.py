"""What a call is made with: model, system prompt, temperature, length."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventCallback

from portal.features.playground.rows import ModelChoice
from portal.features.playground.state import Playground
from portal.kit.vars import as_text, each


def parameters() -> rx.Component:
    """The controls in a card."""
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
