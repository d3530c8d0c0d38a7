"""The filters of the requests page."""

from __future__ import annotations

import reflex as rx

from portal.features.requests.question import OUTCOMES
from portal.features.requests.state import Requests
from portal.kit.choice import Choice
from portal.kit.fields import choice, text_field
from portal.kit.vars import pick
from portal.shared.filters.form import between, filter_form, offered
from portal.shared.filters.question import ANY, SPANS


def filters() -> rx.Component:
    """The form; what is chosen in it is what the list shows."""
    question = Requests.question
    return filter_form(
        [
            choice(
                "Time",
                question.span,
                lambda span: Requests.choose("span", span),
                *[rx.select.item(name, value=span) for span, name in SPANS.items()],
            ),
            choice(
                "Outcome",
                pick(question.outcome == "", ANY, question.outcome),
                lambda outcome: Requests.choose("outcome", outcome),
                rx.select.item("Any outcome", value=ANY),
                *[rx.select.item(name, value=outcome) for outcome, name in OUTCOMES.items()],
            ),
            _offered(
                "application",
                question.application,
                "Application",
                "Any application",
                Requests.applications,
            ),
            _offered("key", question.key, "API key", "Any key", Requests.keys),
        ],
        [
            between(
                question.span,
                _field("since", "From", question.since, kind="datetime-local"),
                _field("until", "To", question.until, kind="datetime-local"),
            ),
            _field("model", "Model", question.model, hint="Exact match"),
            _field("code", "Code", question.code, hint="rate_limit_exceeded"),
            _field("slower", "At least, ms", question.slower, hint="2000"),
            _field("request", "Request id", question.request, hint="Of x-request-id"),
            _field("label", "Label", question.label, hint="team=search"),
            rx.cond(
                Requests.operates,
                _field("upstream", "Upstream", question.upstream, hint="Exact match"),
            ),
        ],
        filtered=Requests.filtered,
        clear=Requests.clear,
        search=Requests.search,
    )


def _offered(
    name: str, value: str, label: str, everything: str, choices: list[Choice]
) -> rx.Component:
    return offered(label, everything, value, lambda chosen: Requests.choose(name, chosen), choices)


def _field(
    name: str, label: str, value: str, *, hint: str = "", kind: str = "text"
) -> rx.Component:
    return text_field(
        label,
        name,
        of="request",
        problem=Requests.problems[name],
        value=value,
        version=Requests.cleared,
        type=kind,
        placeholder=hint,
        spell_check=False,
    )
