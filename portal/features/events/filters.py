"""The filters of the events page."""

from __future__ import annotations

import reflex as rx

from portal.features.events.state import Events
from portal.kit.choice import Choice
from portal.kit.fields import choice, text_field
from portal.shared.filters.form import between, filter_form, offered
from portal.shared.filters.question import SPANS


def filters() -> rx.Component:
    """The form; what is chosen in it is what the list shows."""
    question = Events.question
    return filter_form(
        [
            choice(
                "Time",
                question.span,
                lambda span: Events.choose("span", span),
                *[rx.select.item(name, value=span) for span, name in SPANS.items()],
            ),
            _offered(
                "application",
                question.application,
                "Application",
                "Any application",
                Events.applications,
            ),
            _offered("key", question.key, "API key", "Any key", Events.keys),
            _offered("model", question.model, "Model", "Any model", Events.models),
            _offered("meter", question.meter, "Meter", "Any meter", Events.meters),
        ],
        [
            between(
                question.span,
                _field("since", "From", question.since, kind="datetime-local"),
                _field("until", "To", question.until, kind="datetime-local"),
            ),
            _field("source", "Source", question.source, hint="Exact match"),
            _field("event_id", "Event id", question.event_id, hint="Exact match"),
            _field("label", "Label", question.label, hint="team=search"),
        ],
        filtered=Events.filtered,
        clear=Events.clear,
        search=Events.search,
    )


def _offered(
    name: str, value: str, label: str, everything: str, choices: list[Choice]
) -> rx.Component:
    return offered(label, everything, value, lambda chosen: Events.choose(name, chosen), choices)


def _field(
    name: str, label: str, value: str, *, hint: str = "", kind: str = "text"
) -> rx.Component:
    return text_field(
        label,
        name,
        of="event",
        problem=Events.problems[name],
        value=value,
        version=Events.cleared,
        type=kind,
        placeholder=hint,
        spell_check=False,
    )
