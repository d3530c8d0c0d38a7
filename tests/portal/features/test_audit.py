"""The audit's filters, and its entries in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from backend_client.types.audit import AuditEntry
from portal.features.audit.question import AuditQuestion, audit_filter
from portal.features.audit.rows import audit_rows
from portal.kit.form_problems import FormProblems
from portal.shared.filters.question import question_of

pytestmark = pytest.mark.fast


def entry(**changes: Any) -> AuditEntry:
    values: dict[str, Any] = {
        "id": "aud_1",
        "at": datetime(2026, 3, 1, 12, tzinfo=UTC),
        "actor": "usr_1",
        "actor_name": "Ada",
        "action": "key.create",
        "target": "key_1",
        "detail": {},
    }
    return AuditEntry(**values | changes)


def test_days_are_whole_and_of_the_time_zone() -> None:
    question = question_of(
        AuditQuestion, {"since": "2026-03-01", "until": "2026-03-02", "action": " key "}
    )
    wanted = audit_filter(question, "Europe/Berlin")
    assert wanted["action"] == "key"
    start, end = wanted["start"], wanted["end"]
    assert start is not None
    assert end is not None
    assert (start.isoformat(), end.isoformat()) == (
        "2026-03-01T00:00:00+01:00",
        "2026-03-03T00:00:00+01:00",
    )
    with pytest.raises(FormProblems) as problem:
        audit_filter(AuditQuestion(since="soon"), "UTC")
    assert set(problem.value.by_field) == {"since"}


def test_an_entry_says_who_and_what() -> None:
    plain = entry(detail={"name": "web", "scopes": ["inference", "usage:read"], "n": 1})
    operator = entry(actor="key_9", actor_name=None, actor_kind="operator")
    nobody = entry(actor="anonymous", actor_name=None, actor_kind="anonymous")
    first, second, third = audit_rows([plain, operator, nobody], "UTC")
    assert first.detail == "name: web · scopes: inference, usage:read · n: 1"
    assert (first.actor, first.kind) == ("Ada", "")
    budget = {"budget": {"amount": "20", "limit": None}, "models": None, "limits": {}}
    (changed,) = audit_rows([entry(detail=budget)], "UTC")
    assert changed.detail == "budget: amount 20 · models: none · limits: none"
    assert (second.actor, second.actor_id) == ("Operator", "key_9")
    assert third.actor == "Nobody signed in"
