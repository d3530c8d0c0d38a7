"""Which calls are asked for: the filters as they are chosen, and as the API takes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args

from backend_client.types.requests import RequestFilter, RequestOutcome
from portal.kit.form_problems import FormProblems
from portal.shared.filters.question import SPANS, label_of, times_of

OUTCOMES: Final[dict[RequestOutcome, str]] = {
    "completed": "Completed",
    "failed": "Failed",
    "aborted": "Left by its caller",
    "refused": "Refused",
}
ALLOWED: Final = {"span": frozenset(SPANS), "outcome": frozenset(get_args(RequestOutcome))}
"""What an address can say of the lists that are the same for everybody."""
_MOST_MS: Final = 10**9


@dataclass(frozen=True)
class RequestQuestion:
    """The filters of the page; what is empty lets all through. ``slower`` is in milliseconds.

    ``since`` and ``until`` are times of the tenant's clock as a browser's field writes them, and
    hold with the span ``between`` alone. ``label`` is written ``name=value``.
    """

    span: str = "all"
    since: str = ""
    until: str = ""
    outcome: str = ""
    application: str = ""
    key: str = ""
    model: str = ""
    upstream: str = ""
    code: str = ""
    slower: str = ""
    request: str = ""
    label: str = ""

    @property
    def is_filtered(self) -> bool:
        """Whether it leaves anything out."""
        return self != RequestQuestion()


def request_filter(question: RequestQuestion, *, now: datetime, time_zone: str) -> RequestFilter:
    """What the API is asked.

    Raises:
        FormProblems: a time is none, the times are in the wrong order, the time of a call is none,
            or the label has no value.
    """
    start, end = times_of(
        question.span, question.since, question.until, now=now, time_zone=time_zone
    )
    wanted: RequestFilter = {"start": start, "end": end}
    for outcome in get_args(RequestOutcome):
        if outcome == question.outcome:
            wanted["outcome"] = [outcome]
    if question.application:
        wanted["application"] = [question.application]
    if question.key:
        wanted["key"] = [question.key]
    if question.model:
        wanted["model"] = [question.model]
    if question.upstream:
        wanted["upstream"] = [question.upstream]
    if question.code:
        wanted["code"] = [question.code]
    if question.request:
        wanted["request_id"] = question.request
    if question.label:
        wanted["label"] = label_of(question.label)
    if question.slower:
        wanted["min_duration_ms"] = _milliseconds(question.slower)
    return wanted


def _milliseconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:10]) > _MOST_MS:
        raise FormProblems({"slower": "Write milliseconds as a whole number, such as 2000."})
    return int(text)
