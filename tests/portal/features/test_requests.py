"""The requests page's filters in its address, and calls in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend_client.types.requests import LoggedRequest, RequestFilter
from portal.features.requests.question import RequestQuestion, request_filter
from portal.features.requests.rows import duration, fact_rows, request_row
from portal.kit.form_problems import FormProblems

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def call(**changes: Any) -> LoggedRequest:
    values: dict[str, Any] = {
        "id": "req_1",
        "time": NOW,
        "outcome": "completed",
        "status": 200,
        "protocol": "chat",
        "streamed": True,
        "model": "small",
        "application": "app_1",
        "key": "key_1",
        "attempts": 1,
        "duration_ms": 2400,
        "first_token_ms": 90,
        "error_code": None,
        "error_detail": None,
        "event_id": "req_1",
        "request_id": "req_9",
        "answer_id": None,
        "quantities": {"output_tokens": Decimal(3)},
        "labels": {"team": "red", "status": "completed"},
        "cost": Decimal("0.0125"),
        "currency": "USD",
    }
    return LoggedRequest(**values | changes)


def wanted(**changes: str) -> RequestFilter:
    return request_filter(RequestQuestion(**changes), now=NOW, time_zone="Europe/Berlin")


def test_the_api_is_asked_for_what_was_chosen() -> None:
    assert wanted(span="hour", outcome="failed", slower="2000", request="r") == {
        "start": NOW - timedelta(hours=1),
        "end": None,
        "outcome": ["failed"],
        "min_duration_ms": 2000,
        "request_id": "r",
    }
    for wrong in ("soon", "-1", "1.5", "9" * 12, "²"):
        with pytest.raises(FormProblems) as problem:
            wanted(slower=wrong)
        assert set(problem.value.by_field) == {"slower"}
    assert wanted(label=" team = a=b") == {"start": None, "end": None, "label": {"team": "a=b"}}
    for wrong in ("team", "=search"):
        with pytest.raises(FormProblems) as problem:
            wanted(label=wrong)
        assert set(problem.value.by_field) == {"label"}
    between = wanted(span="between", since="2026-03-01T00:00", until="2026-03-02T00:00")
    assert between["start"] == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert between["end"] == datetime(2026, 3, 1, 23, tzinfo=UTC)
    with pytest.raises(FormProblems) as problem:
        wanted(span="between", since="soon")
    assert set(problem.value.by_field) == {"since"}


def test_a_row_says_what_a_call_used_or_why_it_came_to_nothing() -> None:
    row = request_row(call(), {"app_1": "Web"}, "UTC")
    assert (row.application, row.key, row.note) == ("Web", "key_1", "3 output tokens")
    assert (row.duration, row.first_token, row.color) == ("2.4 s", "90 ms", "green")
    refused = call(outcome="refused", status=429, error_detail="Used up.", model="", cost=None)
    row = request_row(refused, {}, "UTC")
    assert (row.status, row.note, row.model, row.cost) == ("429", "Used up.", "–", "")
    assert duration(1_234_567) == "1,234.6 s"


def test_details_are_what_there_is_and_the_operator_sees_the_attempts() -> None:
    facts = {row.name: row.value for row in fact_rows(call(), {}, "UTC", operates=False)}
    assert facts["Label team"] == "red"
    assert {"Attempts", "Upstream", "Why", "Label status"}.isdisjoint(facts)
    served = fact_rows(call(upstream="main"), {}, "UTC", operates=True)
    facts = {row.name: row.value for row in served}
    assert (facts["Upstream"], facts["Attempts"]) == ("main", "1")
