"""The filters of the events page."""

from __future__ import annotations

import reflex as rx

from portal.features.events.choice import SPANS
from portal.features.events.state import ANY, Events
from portal.kit.choice import Choice
from portal.kit.fields import choice, text_field
from portal.kit.icon import icon
from portal.kit.vars import each, pick


def filters() -> rx.Component:
    """The form; what is chosen in it is what the list shows."""
    return rx.form(
        rx.grid(
            choice(
                "Time",
                Events.span,
                Events.choose_span,
                *[rx.select.item(name, value=key) for key, name in SPANS.items()],
            ),
            _from("application", "Application", "Any application", Events.applications),
            _from("key", "API key", "Any key", Events.keys),
            _from("model", "Model", "Any model", Events.models),
            _from("meter", "Meter", "Any meter", Events.meters),
            columns=rx.breakpoints(initial="2", md="5"),
            spacing="3",
        ),
        rx.grid(
            rx.cond(
                Events.span == "between",
                rx.fragment(
                    _field("since", "From", Events.since, kind="datetime-local"),
                    _field("until", "To", Events.until, kind="datetime-local"),
                ),
            ),
            _field("source", "Source", Events.source, hint="Exact match"),
            _field("event_id", "Event id", Events.event_id, hint="Exact match"),
            _field("label", "Label", Events.label, hint="team=search"),
            rx.flex(
                rx.button(icon("search", size=16), "Find", type="submit", variant="soft"),
                rx.cond(
                    Events.filtered,
                    rx.button(
                        "Clear",
                        type="button",
                        on_click=Events.clear,
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
        on_submit=Events.search,
        role="search",
        aria_label="Filters",
    )


def _from(name: str, label: str, everything: str, offered: list[Choice]) -> rx.Component:
    return choice(
        label,
        getattr(Events, name),
        lambda value: Events.choose(name, value),
        rx.select.item(everything, value=ANY),
        each(offered, lambda choice: rx.select.item(choice.name, value=choice.id)),
    )


def _field(
    name: str, label: str, value: str, *, hint: str = "", kind: str = "text"
) -> rx.Component:
    return text_field(
        label,
        name,
        of="event",
        problem=pick(Events.wrong_field == name, Events.wrong, ""),
        value=value,
        version=Events.cleared,
        type=kind,
        placeholder=hint,
        spell_check=False,
    )
