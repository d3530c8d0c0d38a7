"""What is chosen in filters, in an address and as the API takes it. Plain functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import Field, asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, Protocol, TypeVar
from zoneinfo import ZoneInfo

from portal.kit.form_problems import FormProblems

ANY: Final = "*"
"""What a list to choose from calls everything, since its entries can't be empty."""
SPANS: Final = {
    "all": "Any time",
    "hour": "Last hour",
    "day": "Last 24 hours",
    "week": "Last 7 days",
    "month": "Last 30 days",
    "between": "Between two times",
}
"""How far back; ``between`` is from a question's ``since`` to its ``until``."""
_LENGTHS: Final = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}
LONGEST: Final = 200
"""Characters of what is written in a filter."""


class Filters(Protocol):
    """A dataclass of texts; what it is without arguments lets everything through."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Question = TypeVar("Question", bound=Filters)


def question_of(
    kind: type[Question], written: Mapping[str, object], **allowed: Collection[str]
) -> Question:
    """The question of an address or a form, which anybody may have written.

    Fields of ``allowed`` are as if they weren't there where they have any other value; so are
    ``since`` and ``until`` with another span than ``between``.
    """
    names = {field.name for field in fields(kind)}
    values = {name: str(written.get(name) or "").strip()[:LONGEST].rstrip() for name in names}
    if "span" in names and values["span"] != "between":
        names -= {"since", "until"}
    return kind(
        **{
            name: values[name]
            for name in names
            if values[name] and values[name] in allowed.get(name, (values[name],))
        }
    )


def address_query(question: Filters) -> dict[str, str]:
    """A question as the query of an address; without what lets all through."""
    usual = asdict(question.__class__())  # of a state's its class too; its type is a proxy
    return {name: value for name, value in asdict(question).items() if value != usual[name]}


def times_of(
    span: str, since: str, until: str, *, now: datetime, time_zone: str
) -> tuple[datetime | None, datetime | None]:
    """From when, and until when, exclusively; None where there is no bound.

    ``since`` and ``until`` are times in ``time_zone`` as a browser's field writes them, and hold
    with the span ``between`` alone.

    Raises:
        FormProblems: one is no time, or the end is not after the start.
    """
    if span in _LENGTHS:
        return now - _LENGTHS[span], None
    if span != "between":
        return None, None
    start, end = _time("since", since, time_zone), _time("until", until, time_zone)
    if start is not None and end is not None and end <= start:
        raise FormProblems({"until": "The end is not after the start."})
    return start, end


def label_of(text: str) -> dict[str, str]:
    """A label and its value, of ``name=value``.

    Raises:
        FormProblems: it is written in another way.
    """
    name, sign, value = (part.strip() for part in text.partition("="))
    if not sign or not name:
        raise FormProblems({"label": "Write a label as name=value, such as team=search."})
    return {name: value}


def _time(field: str, text: str, time_zone: str) -> datetime | None:
    if not text:
        return None
    try:
        local = datetime.fromisoformat(text)
        zoned = local if local.tzinfo else local.replace(tzinfo=ZoneInfo(time_zone))
        return zoned.astimezone(UTC)
    except (ValueError, OverflowError):
        raise FormProblems({field: f"{text!r} is no time."}) from None
