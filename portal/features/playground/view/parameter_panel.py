"""What a call is made with: the models, the system prompt, and every common parameter."""

from __future__ import annotations

import reflex as rx

from portal.features.playground.calls.parameters import FORMATS
from portal.features.playground.rows import Column, ModelChoice
from portal.features.playground.state import Playground
from portal.kit.fields import SLIDING_MS, choice, slider, text_field
from portal.kit.icon import icon
from portal.kit.vars import each, length

FORM = "playground"
TOOL_EXAMPLE = '[{"name": "weather", "parameters": {"type": "object", "properties": {…}}}]'
SCHEMA_EXAMPLE = '{"type": "object", "properties": {"answer": {"type": "string"}}}'


def parameter_panel() -> rx.Component:
    """The controls in a card."""
    parameters = Playground.parameters
    return rx.card(
        rx.flex(
            _models(),
            text_field(
                "System prompt",
                "system",
                of=FORM,
                lines=3,
                value=parameters.system,
                version=Playground.version,
                on_blur=Playground.change("system"),
                resize="vertical",
            ),
            _slider("Temperature", "temperature", parameters.temperature, 0, 2, 0.1),
            slider(
                "Max tokens",
                parameters.max_tokens,
                Playground.change("max_tokens").debounce(SLIDING_MS),
                low=16,
                high=Playground.longest,
                step=16,
                id_="max-tokens",
                version=Playground.version,
            ),
            _more(
                "More parameters",
                _slider("Top p", "top_p", parameters.top_p, 0.05, 1, 0.05),
                _slider(
                    "Frequency penalty",
                    "frequency_penalty",
                    parameters.frequency_penalty,
                    -2,
                    2,
                    0.1,
                ),
                _slider(
                    "Presence penalty", "presence_penalty", parameters.presence_penalty, -2, 2, 0.1
                ),
                _written("Seed", "seed", parameters.seed, Playground.wrong.seed, hint="Any"),
                _written(
                    "Stop sequences",
                    "stop",
                    parameters.stop,
                    Playground.wrong.stop,
                    lines=2,
                    hint="One a line",
                ),
            ),
            _more(
                "Functions",
                _written(
                    "Functions as JSON",
                    "tools",
                    parameters.tools,
                    Playground.wrong.tools,
                    lines=7,
                    hint=TOOL_EXAMPLE,
                    is_code=True,
                ),
                opened=Playground.parameters.tools != "",
            ),
            _more(
                "Answer format",
                choice(
                    "Answer format",
                    parameters.format,
                    Playground.change("format"),
                    *[rx.select.item(name, value=key) for key, name in FORMATS.items()],
                ),
                rx.cond(
                    parameters.format == "json_schema",
                    _written(
                        "JSON schema",
                        "schema",
                        parameters.schema,
                        Playground.wrong.schema,
                        lines=8,
                        hint=SCHEMA_EXAMPLE,
                        is_code=True,
                    ),
                ),
                opened=Playground.parameters.format != "text",
            ),
            direction="column",
            spacing="4",
        ),
        size="2",
        class_name="fb-parameters",
    )


def _models() -> rx.Component:
    return rx.box(
        rx.text("Models", size="2", weight="medium", margin_bottom="var(--space-1)"),
        rx.flex(each(Playground.columns, _column), direction="column", spacing="2"),
        rx.cond(
            length(Playground.more) > 0,
            rx.box(
                rx.select.root(
                    rx.select.trigger(
                        placeholder="Compare with…",
                        aria_label="Compare with another model",
                        width="100%",
                        variant="soft",
                        color_scheme="gray",
                    ),
                    rx.select.content(
                        each(
                            Playground.more,
                            lambda model: rx.select.item(model.name, value=model.id),
                        )
                    ),
                    value="",
                    on_change=Playground.add_model,
                ),
                margin_top="var(--space-2)",
            ),
        ),
    )


def _column(column: Column) -> rx.Component:
    return rx.box(
        rx.flex(
            rx.select.root(
                rx.select.trigger(aria_label="Model", flex="1 1 0", min_width="0"),
                rx.select.content(each(Playground.models, _model)),
                value=column.id,
                on_change=lambda model: Playground.choose_model(column.place, model),
            ),
            rx.cond(
                length(Playground.chosen) > 1,
                rx.icon_button(
                    icon("x", size=14),
                    on_click=Playground.remove_model(column.id),
                    variant="soft",
                    color_scheme="gray",
                    aria_label="Remove " + column.id,
                ),
            ),
            spacing="2",
        ),
        rx.text(column.about, size="1", color_scheme="gray", margin_top="var(--space-1)"),
    )


def _model(model: ModelChoice) -> rx.Component:
    return rx.select.item(model.name, value=model.id)


def _slider(
    name: str, called: str, value: float, low: float, high: float, step: float
) -> rx.Component:
    return slider(
        name,
        value,
        Playground.change(called).debounce(SLIDING_MS),
        low=low,
        high=high,
        step=step,
        id_=called.replace("_", "-"),
        version=Playground.version,
    )


def _written(
    label: str,
    called: str,
    value: str,
    problem: str,
    *,
    lines: int = 1,
    hint: str = "",
    is_code: bool = False,
) -> rx.Component:
    look = {"font_family": "var(--code-font-family)", "font_size": "12px"} if is_code else {}
    return text_field(
        label,
        called,
        of=FORM,
        lines=lines,
        problem=problem,
        value=value,
        version=Playground.version,
        placeholder=hint,
        on_blur=Playground.change(called),
        spell_check=False,
        **look,
    )


def _more(title: str, *content: rx.Component, opened: bool = False) -> rx.Component:
    """Parameters that most calls do without, behind their title."""
    return rx.el.details(
        rx.el.summary(rx.text(title, as_="span", size="2", weight="medium")),
        rx.flex(*content, direction="column", spacing="4", padding_top="var(--space-3)"),
        class_name="fb-more",
        open=opened,
    )
