"""A refused event, and why it was refused in a sentence for a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_SHOWN: Final = 200  # characters of a wrong id or name


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a member was refused. ``field`` is None if it is about the whole event.

    ``source`` and ``subject`` are the event's own words, where it has them.
    """

    event_id: str | None
    field: str | None
    detail: str
    source: str | None = None
    subject: str | None = None


def refusal_of(document: object, error: ValidationError) -> Refusal:
    """Return why a document is no usage event: the first of its faults."""
    fault = error.errors(include_url=False)[0]
    field = ".".join(str(part)[:_SHOWN] for part in fault["loc"]) or None
    return refusal_for(document, field, _sentence(fault))


def refusal_for(document: object, field: str | None, detail: str) -> Refusal:
    """Return a refusal of a document, with what it says about itself."""
    subject = _text(document, "subject")
    if subject is not None and not subject.isprintable():
        subject = None  # names nobody, and PostgreSQL could not look it up
    return Refusal(_text(document, "id"), field, detail, _text(document, "source"), subject)


def _text(document: object, name: str) -> str | None:
    value: Any = document.get(name) if isinstance(document, dict) else None
    return value[:_SHOWN] if isinstance(value, str) else None


def _sentence(fault: ErrorDetails) -> str:
    context: Mapping[str, Any] = fault.get("ctx", {})
    write = _SENTENCES.get(fault["type"])
    if write is not None:
        return write(context)
    if fault["type"] == "string_pattern_mismatch":
        if fault["loc"][-1] == "[key]" and fault["loc"][-3] in ("quantities", "counted"):
            return "is no name of a meter: lower-case letters, digits and _, such as input_tokens"
        return "holds a control character"
    return fault["msg"].removeprefix("Value error, ")


_SENTENCES: Final[dict[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": lambda _: "is required",
    "extra_forbidden": lambda _: "is no member of an event here, nor an extension attribute",
    "model_type": lambda _: "is not an object",
    "model_attributes_type": lambda _: "is not an object",
    "dict_type": lambda _: "is not an object",
    "string_type": lambda _: "is not a text",
    "string_unicode": lambda _: "is not a text in UTF-8",
    "string_too_short": lambda _: "is empty",
    "string_too_long": lambda ctx: f"has more than {ctx['max_length']} characters",
    "too_short": lambda _: "is empty: it names what was used, such as {'requests': 1}",
    "too_long": lambda ctx: f"has more than {ctx['max_length']} entries",
    "literal_error": lambda ctx: f"should be {ctx['expected']}",
    "decimal_type": lambda _: "is not a number",
    "decimal_parsing": lambda _: "is not a number",
    "finite_number": lambda _: "is not a finite number",
    "greater_than_equal": lambda ctx: f"is less than {ctx['ge']}",
    "decimal_max_digits": lambda ctx: f"has more than {ctx['max_digits']} digits",
    "decimal_max_places": lambda ctx: f"has more than {ctx['decimal_places']} decimals",
    "decimal_whole_digits": lambda ctx: (
        f"has more than {ctx['whole_digits']} digits before the decimal point"
    ),
    "datetime_type": lambda _: "is no time such as 2026-01-02T03:04:05Z",
    "timezone_aware": lambda _: "has no offset from UTC: write one, such as Z or +02:00",
    "datetime_parsing": lambda _: "is no time such as 2026-01-02T03:04:05Z",
    "datetime_from_date_parsing": lambda _: "is no time such as 2026-01-02T03:04:05Z",
}
