"""The filters of the requests page."""

from __future__ import annotations

import reflex as rx

from portal.features.requests.question import OUTCOMES, SPANS
from portal.features.requests.state import ANY, Requests
from portal.kit.choice import Choice
from portal.kit.fields import choice, text_field
from portal.kit.icon import icon
from portal.kit.vars import each, pick


def filters() -> rx.Component:
    """The form; what is chosen in it is what the list shows."""
    question = Requests.question
    return rx.form(
        rx.grid(
            choice(
                "Time",
                question.span,
                lambda value: Requests.choose("span", value),
                *[rx.select.item(name, value=span) for span, name in SPANS.items()],
            ),
            choice(
                "Outcome",
                pick(question.outcome == "", ANY, question.outcome),
                lambda value: Requests.choose("outcome", value),
                rx.select.item("Any outcome", value=ANY),
                *[rx.select.item(name, value=outcome) for outcome, name in OUTCOMES.items()],
            ),
            _from(
                "application",
                question.application,
                "Application",
                "Any application",
                Requests.applications,
            ),
            _from("key", question.key, "API key", "Any key", Requests.keys),
            columns=rx.breakpoints(initial="2", md="4"),
            spacing="3",
        ),
        rx.grid(
            _field("model", "Model", question.model, hint="Exact match"),
            _field("code", "Code", question.code, hint="rate_limit_exceeded"),
            _field("slower", "At least, ms", question.slower, hint="2000"),
            _field("request", "Request id", question.request, hint="Of x-request-id"),
            _field("label", "Label", question.label, hint="team=search"),
            rx.cond(
                Requests.operates,
                _field("upstream", "Upstream", question.upstream, hint="Exact match"),
            ),
            rx.flex(
                rx.button(icon("search", size=16), "Find", type="submit", variant="soft"),
                rx.cond(
                    Requests.filtered,
                    rx.button(
                        "Clear",
                        type="button",
                        on_click=Requests.clear,
                        variant="ghost",
                        color_scheme="gray",
                    ),
                ),
                align="center",
                spacing="4",
                padding_top="var(--space-5)",
            ),
            columns=rx.breakpoints(initial="2", md="4"),
            spacing="3",
            margin_top="var(--space-3)",
            align="start",
        ),
        on_submit=Requests.search,
        role="search",
        aria_label="Filters",
    )


def _from(
    name: str, value: str, label: str, everything: str, offered: list[Choice]
) -> rx.Component:
    return choice(
        label,
        pick(value == "", ANY, value),
        lambda chosen: Requests.choose(name, chosen),
        rx.select.item(everything, value=ANY),
        each(offered, lambda choice: rx.select.item(choice.name, value=choice.id)),
    )


def _field(name: str, label: str, value: str, *, hint: str) -> rx.Component:
    return text_field(
        label,
        name,
        of="request",
        problem=Requests.problems[name],
        value=value,
        version=Requests.cleared,
        placeholder=hint,
        spell_check=False,
    )
