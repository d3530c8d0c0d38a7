"""Which events the events page asks for: what is chosen in its filters. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backend_client.types.events import EventFilter, StoredEvent
from portal.shared.filters.question import label_of, times_of


@dataclass(frozen=True)
class EventQuestion:
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
    def is_filtered(self) -> bool:
        """Whether it leaves anything out."""
        return self != EventQuestion()


def event_filter(question: EventQuestion, *, now: datetime, time_zone: str) -> EventFilter:
    """What the API is asked.

    Raises:
        FormProblems: a time is none, the times are in the wrong order, or the label has no value.
    """
    start, end = times_of(
        question.span, question.since, question.until, now=now, time_zone=time_zone
    )
    wanted: EventFilter = {"start": start, "end": end}
    if question.application:
        wanted["application"] = [question.application]
    if question.key:
        wanted["key"] = [question.key]
    if question.model:
        wanted["model"] = [question.model]
    if question.meter:
        wanted["meter"] = [question.meter]
    if question.source:
        wanted["source"] = [question.source]
    if question.event_id:
        wanted["event_id"] = [question.event_id]
    if question.label:
        wanted["label"] = label_of(question.label)
    return wanted


def lets_through(wanted: EventFilter, event: StoredEvent) -> bool:
    """Tell whether the API would list an event, for events that come by the tail."""
    start, end = wanted.get("start"), wanted.get("end")
    if (start is not None and event.time < start) or (end is not None and event.time >= end):
        return False
    for allowed, value in (
        (wanted.get("application"), event.application),
        (wanted.get("key"), event.key),
        (wanted.get("model"), event.model),
        (wanted.get("source"), event.source),
        (wanted.get("event_id"), event.id),
    ):
        if allowed and value not in allowed:
            return False
    meters = wanted.get("meter")
    if meters and not event.quantities.keys() & set(meters):
        return False
    return wanted.get("label", {}).items() <= event.labels.items()
