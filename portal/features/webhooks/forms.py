"""What the forms of an endpoint ask for. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend_client.types.webhooks import WebhookChange, WebhookCreate, WebhookRotate
from portal.kit.form_problems import checked, text_of

OVERLAPS = {
    "0": "None: it ends at once",
    "3600": "An hour",
    "86400": "A day",
    "604800": "A week",
}
FIELDS = ("url", "description", "events", "form")
_KIND = "kind:"


def by_field(paths: list[tuple[str, str]]) -> dict[str, str]:
    """The form's fields for problems that name them by path."""
    problems: dict[str, str] = {}
    for path, detail in paths:
        name = path.partition(".")[0]
        sentence = detail[:1].upper() + detail[1:]
        if name == "url" and detail[:1].islower():
            sentence = f"The address {detail}."
        problems.setdefault(name if name in FIELDS else "form", sentence)
    return problems


def webhook_from_form(form: Mapping[str, Any]) -> WebhookCreate:
    """The endpoint that the form asks for.

    Raises:
        FormProblems: a field can't be used.
    """
    return checked(WebhookCreate, _values(form), {}, by_field)


def change_from_form(form: Mapping[str, Any]) -> WebhookChange:
    """What the form asks to change of an endpoint: everything that it shows.

    Raises:
        FormProblems: a field can't be used.
    """
    return checked(WebhookChange, _values(form), {}, by_field)


def rotation_from_form(form: Mapping[str, Any]) -> WebhookRotate:
    """How long the old secret signs too; a day if the form does not say."""
    seconds = text_of(form, "overlap")
    return WebhookRotate(grace_seconds=int(seconds) if seconds in OVERLAPS else 24 * 3600)


def _values(form: Mapping[str, Any]) -> dict[str, Any]:
    kinds = [name.removeprefix(_KIND) for name, on in form.items() if name.startswith(_KIND) and on]
    return {
        "url": text_of(form, "url"),
        "description": text_of(form, "description"),
        "events": kinds or None,
    }
