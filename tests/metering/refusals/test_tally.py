"""Refused events are counted by kind, within bounds, whatever is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backend.metering.refusals import tally as module
from backend.metering.refusals.refusal import Refusal, refusal_of
from backend.metering.refusals.tally import OTHER, RefusalTally, RefusedKind
from backend_client.types.events import UsageEvent
from backend_client.types.texts import check_shown

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def note(tally: RefusalTally, detail: str, *, tenant: str | None = "ten_a", **more: str) -> None:
    refusal = Refusal(more.get("id"), more.get("field"), detail, more.get("source"))
    tally.note(tenant, "tenant", "key_1", refusal, NOW)


def test_one_reason_is_one_kind_with_the_last_event_as_its_sample() -> None:
    tally = RefusalTally()
    note(tally, "is more than 400 days ago", field="time", id="1", source="web")
    note(tally, "is more than 90 days ago", field="time", id="2", source="job")
    note(tally, "is not a number", field="data.quantities.input_tokens", id="3")
    note(tally, "is not a number", field="data.quantities.output_tokens", id="4")
    note(tally, "is not a number", field="data.quantities.output_tokens", tenant="ten_b")
    old, number, other_tenant = tally.take()
    assert (old.count, old.detail, old.sample_id, old.sample_source) == (
        2,
        "is more than 90 days ago",
        "2",
        "job",
    )
    assert (number.count, number.field, number.sample_id) == (
        2,
        "data.quantities.output_tokens",
        "4",
    )
    assert (other_tenant.tenant_id, other_tenant.count) == ("ten_b", 1)
    assert tally.take() == []


def test_members_of_a_request_are_counted_by_day_and_put_back_where_they_were_not_written() -> None:
    tally = RefusalTally()
    refusals = [("ten_a", Refusal(str(number), "time", "wrong")) for number in range(5)]
    tally.note_all(refusals, "operator", "opk_1", NOW)
    tally.note_all(refusals, "operator", "opk_1", NOW + timedelta(days=1))
    kinds = tally.take()
    assert [(kind.day, kind.count) for kind in kinds] == [
        (date(2026, 3, 1), 5),
        (date(2026, 3, 2), 5),
    ]
    tally.note_all(refusals, "operator", "opk_1", NOW)
    tally.put_back(kinds)
    assert sorted(kind.count for kind in tally.take()) == [5, 10]


def test_a_flood_of_reasons_takes_no_memory_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KINDS", 10)
    tally = RefusalTally()
    for number in range(1_000):
        note(tally, f"reason {'x' * number}", tenant=f"ten_{number % 100}")
    kinds = tally.take()
    assert len(kinds) <= 21
    assert sum(kind.count for kind in kinds) == 1_000
    others = [kind for kind in kinds if kind.detail == OTHER]
    assert others
    assert {(kind.sample_id, kind.credential) for kind in others} == {(None, "")}


def test_nothing_is_counted_where_nothing_is_listed() -> None:
    tally = RefusalTally(kept=False)
    note(tally, "wrong")
    assert tally.take() == []


@given(st.text(max_size=1_000), st.text(max_size=1_000), st.text(max_size=500))
def test_what_is_kept_of_an_event_is_short_and_can_be_stored(
    detail: str, field: str, source: str
) -> None:
    tally = RefusalTally()
    note(tally, detail, field=field, source=source, id=source)
    [kind] = tally.take()
    assert isinstance(kind, RefusedKind)
    for text in (kind.detail, kind.field, kind.sample_id, kind.sample_source):
        assert text is not None
        assert len(text) <= 300
        assert check_shown(text) == text
    assert kind.id.startswith("ref_")


@pytest.mark.parametrize(
    ("document", "field", "detail"),
    [
        ({}, "id", "is required"),
        ([], None, "is not an object"),
        ({"data": []}, "data", "is not an object"),
        ({"data": {"quantities": {}}}, "data.quantities", "is empty"),
        ({"data": {"quantities": {"X!": 1}}}, "data.quantities.X!.[key]", "no name of a meter"),
        ({"data": {"labels": {"a": "b\x00"}}}, "data.labels.a", "control character"),
        ({"data": {"labels": {"a": 1}}}, "data.labels.a", "is not a text"),
        ({"id": ""}, "id", "is empty"),
        ({"type": "prompt"}, "type", "should be 'ai.usage'"),
        ({"time": None, "subject": 7}, "subject", "is not a text"),
        ({"Subject": "a"}, "Subject", "no member of an event"),
    ],
)
def test_a_refusal_is_a_sentence_about_the_field(
    document: object, field: str | None, detail: str
) -> None:
    whole: object = document
    if isinstance(document, dict) and document:
        data = {"application": "a", "model": "m", "quantities": {"requests": 1}}
        whole = {"id": "1", "source": "s", **document, "data": data}
        if isinstance(document.get("data"), dict):
            whole["data"] = data | document["data"]
        elif "data" in document:
            whole["data"] = document["data"]
    with pytest.raises(ValidationError) as raised:
        UsageEvent.model_validate(whole)
    refusal = refusal_of(whole, raised.value)
    assert refusal.field == field
    assert detail in refusal.detail
