"""The fields that set limits and a budget."""

from __future__ import annotations

from typing import Any

import reflex as rx

from portal.kit.fields import select_field, text_field

_THREE = rx.breakpoints(initial="1", xs="3")


def limit_fields(of: str, edited: Any, problems: Any) -> tuple[rx.Component, ...]:
    """The fields of limits; ``edited`` is a state's ``BoundsEdit``, or has the same fields."""
    return (
        rx.grid(
            _number(of, "requests", "Requests a minute", edited.requests, problems),
            _number(of, "tokens", "Tokens a minute", edited.tokens, problems),
            _number(of, "concurrent", "At a time", edited.concurrent, problems),
            columns=_THREE,
            spacing="4",
        ),
        text_field(
            "Limits on models",
            "model_limits",
            of=of,
            lines=2,
            max_length=16_000,
            spell_check=False,
            auto_capitalize="off",
            value=edited.model_limits,
            note="A line for each, such as sample-large: 10 requests, 5000 tokens, 2 at a time. "
            "Several models with commas between share one.",
            problem=problems["model_limits"],
        ),
    )


def budget_fields(of: str, edited: Any, problems: Any) -> rx.Component:
    """The fields of a budget."""
    return rx.grid(
        text_field(
            "Budget",
            "budget",
            of=of,
            placeholder="None",
            input_mode="decimal",
            max_length=24,
            value=edited.budget,
            problem=problems["budget"],
        ),
        select_field(
            "In each",
            "budget_period",
            edited.budget_period,
            rx.select.item("Month", value="month"),
            rx.select.item("Day", value="day"),
            of=of,
        ),
        select_field(
            "When it is used up",
            "budget_limit",
            edited.budget_limit,
            rx.select.item("Refuse calls", value="hard"),
            rx.select.item("Only tell of it", value="soft"),
            of=of,
        ),
        columns=_THREE,
        spacing="4",
    )


def _number(of: str, name: str, label: str, value: Any, problems: Any) -> rx.Component:
    return text_field(
        label,
        name,
        of=of,
        placeholder="No limit",
        input_mode="numeric",
        max_length=10,
        value=value,
        problem=problems[name],
    )
