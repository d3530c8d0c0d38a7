"""The requests page's filters in its address, and calls in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend_client.types.requests import LoggedRequest
from portal.features.requests.question import (
    RequestQuestion,
    address_query,
    question_of,
    request_filter,
)
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


def test_the_address_holds_what_was_chosen_and_nothing_that_it_should_not() -> None:
    question = RequestQuestion(span="day", outcome="refused", key="key_1", slower="2000")
    assert question_of(address_query(question)) == question
    assert address_query(RequestQuestion()) == {}
    strange = question_of({"span": "for ever", "outcome": "<b>", "unheard": "x", "model": " m "})
    assert strange == RequestQuestion(model="m")


def test_the_api_is_asked_for_what_was_chosen() -> None:
    question = RequestQuestion(span="hour", outcome="failed", slower="2000", request="r")
    assert request_filter(question, NOW) == {
        "start": NOW - timedelta(hours=1),
        "outcome": ["failed"],
        "min_duration_ms": 2000,
        "request_id": "r",
    }
    for wrong in ("soon", "-1", "1.5", "9" * 12, "²"):
        with pytest.raises(FormProblems) as problem:
            request_filter(RequestQuestion(slower=wrong), NOW)
        assert set(problem.value.by_field) == {"slower"}
    labeled = request_filter(RequestQuestion(label=" team = a=b"), NOW)
    assert labeled == {"label": {"team": "a=b"}}
    for wrong in ("team", "=search"):
        with pytest.raises(FormProblems) as problem:
            request_filter(RequestQuestion(label=wrong), NOW)
        assert set(problem.value.by_field) == {"label"}


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
