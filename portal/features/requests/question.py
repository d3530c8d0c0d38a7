"""Which calls are asked for: the filters as they are chosen, and as the API takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Final, get_args

from backend_client.types.requests import RequestFilter, RequestOutcome
from portal.kit.form_problems import FormProblems

SPANS: Final = {
    "all": "Any time",
    "hour": "Last hour",
    "day": "Last 24 hours",
    "week": "Last 7 days",
}
_LENGTHS: Final = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}
OUTCOMES: Final[dict[RequestOutcome, str]] = {
    "completed": "Completed",
    "failed": "Failed",
    "aborted": "Left by its caller",
    "refused": "Refused",
}
_MOST_MS: Final = 10**9


@dataclass(frozen=True)
class RequestQuestion:
    """The filters of the page; what is empty lets all through. ``slower`` is in milliseconds."""

    span: str = "all"
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


def question_of(written: Mapping[str, object]) -> RequestQuestion:
    """The question of an address, which anybody may have written."""
    values = {
        field.name: str(written[field.name]).strip()[:200]
        for field in fields(RequestQuestion)
        if written.get(field.name)
    }
    if values.get("span") not in SPANS:
        values["span"] = "all"
    if values.get("outcome", "") not in get_args(RequestOutcome):
        values["outcome"] = ""
    return RequestQuestion(**values)


def address_query(question: RequestQuestion) -> dict[str, str]:
    """A question as the query of an address; without what lets all through."""
    usual = asdict(RequestQuestion())
    return {name: value for name, value in asdict(question).items() if value != usual[name]}


def request_filter(question: RequestQuestion, now: datetime) -> RequestFilter:
    """What the API is asked.

    Raises:
        FormProblems: the time of a call is none, or the label has no value.
    """
    wanted: RequestFilter = {}
    if question.span in _LENGTHS:
        wanted["start"] = now - _LENGTHS[question.span]
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
        wanted["label"] = _label(question.label)
    if question.slower:
        wanted["min_duration_ms"] = _milliseconds(question.slower)
    return wanted


def _label(text: str) -> dict[str, str]:
    name, sign, value = (part.strip() for part in text.partition("="))
    if not sign or not name:
        raise FormProblems({"label": "Write a label and its value, such as team=search."})
    return {name: value}


def _milliseconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:10]) > _MOST_MS:
        raise FormProblems({"slower": "Write milliseconds as a whole number, such as 2000."})
    return int(text)
