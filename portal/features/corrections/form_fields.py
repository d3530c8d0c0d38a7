"""The form of the corrections page: void an event, or amend what it says."""

from __future__ import annotations

import reflex as rx

from portal.features.corrections.form import Pair
from portal.features.corrections.state import Corrections
from portal.kit.blocks import form_error
from portal.kit.fields import select_field, text_field
from portal.kit.icon import icon
from portal.kit.vars import as_text, each, negated, pick


def correction_form() -> rx.Component:
    """What to do, the event's data in fields or as JSON, and the reason."""
    amends = Corrections.action == "amend"
    return rx.form(
        rx.flex(
            rx.segmented_control.root(
                rx.segmented_control.item("Void", value="void"),
                rx.segmented_control.item("Amend", value="amend"),
                value=Corrections.action,
                on_change=Corrections.choose_action,
                aria_label="What to do",
            ),
            rx.text(
                pick(
                    amends,
                    "Say all of it as it should have been. What you leave out is taken away.",
                    "It will count for nothing, as if it had never come.",
                ),
                size="2",
                color_scheme="gray",
            ),
            rx.cond(amends, _data()),
            text_field(
                "Reason",
                "reason",
                of="correction",
                lines=2,
                problem=Corrections.problems["reason"],
                note="Kept with the correction, and shown to the customer.",
                version=Corrections.form_version,
                max_length=500,
            ),
            form_error(Corrections.problems["form"]),
            rx.flex(rx.button("Preview", type="submit"), justify="end"),
            direction="column",
            spacing="4",
        ),
        on_submit=Corrections.preview,
        id="correction",
    )


def _data() -> rx.Component:
    return rx.fragment(
        rx.flex(
            rx.button(
                pick(Corrections.as_text, "Write it in fields", "Write it as JSON"),
                type="button",
                on_click=Corrections.choose_text(negated(Corrections.as_text)),
                variant="ghost",
                size="1",
            ),
            justify="end",
        ),
        rx.cond(Corrections.as_text, _text(), _fields()),
    )


def _text() -> rx.Component:
    return text_field(
        "Data",
        "text",
        of="correction",
        lines=14,
        problem=Corrections.problems["text"],
        value=Corrections.text,
        version=Corrections.form_version,
        spell_check=False,
        font_family="var(--code-font-family)",
    )


def _fields() -> rx.Component:
    return rx.fragment(
        select_field(
            "Application",
            "application",
            Corrections.application,
            each(
                Corrections.applications,
                lambda choice: rx.select.item(choice.name, value=choice.id),
            ),
            of="correction",
            problem=Corrections.problems["application"],
            key="application-" + as_text(Corrections.form_version),
        ),
        _input("model", "Model", Corrections.model),
        _input("key", "Key id", Corrections.key, hint="None"),
        _lines("meter", "Quantities", "Meter", "Quantity", Corrections.quantities),
        _lines("label", "Labels", "Label", "Value", Corrections.labels),
    )


def _input(name: str, label: str, value: str, *, hint: str = "") -> rx.Component:
    return text_field(
        label,
        name,
        of="correction",
        problem=Corrections.problems[name],
        value=value,
        version=Corrections.form_version,
        placeholder=hint,
        spell_check=False,
    )


def _lines(kind: str, legend: str, name: str, value: str, lines: list[Pair]) -> rx.Component:
    """Pairs of fields, a line each, that can be added and taken away."""
    whole = "quantities" if kind == "meter" else "labels"
    return rx.el.fieldset(
        rx.el.legend(rx.text(legend, size="2", weight="medium", margin_bottom="6px")),
        rx.flex(
            each(lines, lambda line: _line(kind, name, value, line)),
            direction="column",
            spacing="2",
        ),
        rx.box(
            rx.cond(
                Corrections.problems[whole] != "",
                rx.text(Corrections.problems[whole], size="1", color_scheme="red"),
            ),
            role="alert",
        ),
        rx.button(
            icon("plus", size=14),
            "Add a " + name.lower(),
            type="button",
            on_click=Corrections.add_line(kind),
            variant="ghost",
            size="1",
            margin_top="var(--space-3)",
        ),
        border="0",
        padding="0",
        margin="0",
        min_width="0",
    )


def _line(kind: str, name: str, value: str, line: Pair) -> rx.Component:
    number = as_text(line.id)
    problem_id = f"{kind}-problem-" + number
    values = "quantity" if kind == "meter" else "value"
    called = pick(line.title != "", line.title, "the new " + name.lower())
    return rx.box(
        rx.flex(
            rx.input(
                name=f"{kind}:" + number,
                default_value=line.name,
                placeholder=name,
                max_length=200,
                auto_complete="off",
                spell_check=False,
                aria_label=name + " of " + called,
                aria_describedby=problem_id,
                flex="1",
                min_width="0",
            ),
            rx.input(
                name=f"{values}:" + number,
                default_value=line.value,
                placeholder=value,
                max_length=200,
                input_mode="decimal" if kind == "meter" else "text",
                auto_complete="off",
                spell_check=False,
                aria_label=value + " of " + called,
                aria_describedby=problem_id,
                flex="1",
                min_width="0",
            ),
            rx.icon_button(
                icon("x", size=14),
                type="button",
                on_click=Corrections.remove_line(kind, line.id),
                variant="ghost",
                color_scheme="gray",
                aria_label="Take away " + called,
            ),
            align="center",
            spacing="3",
        ),
        rx.box(
            rx.cond(line.problem != "", rx.text(line.problem, size="1", color_scheme="red")),
            id=problem_id,
            role="alert",
        ),
        key=f"{kind}-" + as_text(Corrections.form_version) + "-" + number,
    )
