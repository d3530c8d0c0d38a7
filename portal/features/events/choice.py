"""Which events the events page asks for: what is chosen in its filters. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from backend_client.types.events import EventFilter, StoredEvent

SPANS = {
    "all": "Any time",
    "hour": "Last hour",
    "day": "Last 24 hours",
    "week": "Last 7 days",
    "month": "Last 30 days",
    "between": "Between two times",
}
_LENGTHS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}


@dataclass(frozen=True)
class EventChoice:
    """The filters of the page; what is empty lets all through.

    ``since`` and ``until`` are times of the tenant's clock as a browser's field writes them, and
    hold with the span ``between`` alone. ``label`` is written ``name=value``.
    """

    span: str = "all"
    since: str = ""
    until: str = ""
    application: str = ""
    key: str = ""
    model: str = ""
    meter: str = ""
    source: str = ""
    event_id: str = ""
    label: str = ""

    @property
    def filters(self) -> bool:
        """Whether anything is left out."""
        return self != EventChoice()


class WrongChoice(ValueError):
    """A filter that can't be used: its ``field``, and why, in a sentence."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


def event_filter(choice: EventChoice, *, now: datetime, time_zone: str) -> EventFilter:
    """What the API is asked for a choice.

    Raises:
        WrongChoice: a time is none, the times are in the wrong order, or the label has no value.
    """
    start, end = _times(choice, now, ZoneInfo(time_zone))
    question: EventFilter = {"start": start, "end": end}
    if choice.application:
        question["application"] = [choice.application]
    if choice.key:
        question["key"] = [choice.key]
    if choice.model:
        question["model"] = [choice.model]
    if choice.meter:
        question["meter"] = [choice.meter]
    if choice.source:
        question["source"] = [choice.source]
    if choice.event_id:
        question["event_id"] = [choice.event_id]
    if choice.label:
        name, sign, value = choice.label.partition("=")
        if not name or not sign:
            raise WrongChoice("label", "Write a label as name=value, such as team=search.")
        question["label"] = {name: value}
    return question


def lets_through(question: EventFilter, event: StoredEvent) -> bool:
    """Tell whether the API would list an event for a question, for events that come by the tail."""
    start, end = question.get("start"), question.get("end")
    if (start is not None and event.time < start) or (end is not None and event.time >= end):
        return False
    for allowed, value in (
        (question.get("application"), event.application),
        (question.get("key"), event.key),
        (question.get("model"), event.model),
        (question.get("source"), event.source),
        (question.get("event_id"), event.id),
    ):
        if allowed and value not in allowed:
            return False
    meters = question.get("meter")
    if meters and not event.quantities.keys() & set(meters):
        return False
    return question.get("label", {}).items() <= event.labels.items()


def to_query(choice: EventChoice) -> dict[str, str]:
    """A choice as the query of an address; without what lets all through."""
    usual = asdict(EventChoice())
    return {name: value for name, value in asdict(choice).items() if value != usual[name]}


def from_query(query: Mapping[str, str]) -> EventChoice:
    """A choice from the query of an address, which anybody may have written."""
    values = {
        field.name: query[field.name][:200]
        for field in fields(EventChoice)
        if query.get(field.name)
    }
    choice = EventChoice(**values)
    return choice if choice.span in SPANS else EventChoice(**(values | {"span": "all"}))


def _times(
    choice: EventChoice, now: datetime, zone: ZoneInfo
) -> tuple[datetime | None, datetime | None]:
    if choice.span in _LENGTHS:
        return now - _LENGTHS[choice.span], None
    if choice.span != "between":
        return None, None
    start, end = (_time(name, getattr(choice, name), zone) for name in ("since", "until"))
    if start is not None and end is not None and end <= start:
        raise WrongChoice("until", "The end is not after the start.")
    return start, end


def _time(name: str, text: str, zone: ZoneInfo) -> datetime | None:
    if not text:
        return None
    try:
        local = datetime.fromisoformat(text)
        return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise WrongChoice(name, f"{text!r} is no time.") from None
