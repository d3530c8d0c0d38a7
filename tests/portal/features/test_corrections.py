"""What the corrections page reads from its forms, and what it tells of a preview."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from backend_client.types.corrections import CorrectionCreate, SpendChange, UsageChange
from backend_client.types.events import IngestResult, RejectedEvent, StoredEvent
from portal.features.corrections.backfill import (
    MOST_CHARACTERS,
    MOST_REFUSED,
    pasted_events,
    refused_rows,
    verdict_note,
)
from portal.features.corrections.change_rows import SHOWN, change_rows, period_rows
from portal.features.corrections.form import (
    Pair,
    by_field,
    correction_from,
    data_text,
    label_pairs,
    quantity_pairs,
    with_another,
    with_problems,
)
from portal.kit.form_problems import FormProblems

pytestmark = pytest.mark.fast

NOW = datetime(2026, 11, 24, 11, 15, tzinfo=UTC)
FIELDS = {
    "application": "app_1",
    "model": "m",
    "key": "",
    "meter:0": "input_tokens",
    "quantity:0": "0.123456789",
    "meter:3": "images",
    "quantity:3": "2",
    "label:0": "team",
    "value:0": "",
    "reason": " counted twice ",
}
EVENT = StoredEvent.model_validate(
    {
        "id": "7f3a",
        "sender": "operator",
        "source": "my-service",
        "time": NOW,
        "received_at": NOW,
        "application": "app_1",
        "model": "m",
        "key": "key_1",
        "quantities": {"output_tokens": "310", "input_tokens": "1200.50"},
        "labels": {"team": "search", "env": "live"},
        "counted": {"input_tokens": "1201"},
    }
)


def read(form: dict[str, Any], **changes: Any) -> CorrectionCreate:
    values: dict[str, Any] = {"action": "amend", "as_text": False, "correction_id": "c1"}
    return correction_from(form, EVENT, **(values | changes))


def problems(form: dict[str, Any], **changes: Any) -> dict[str, str]:
    with pytest.raises(FormProblems) as raised:
        read(form, **changes)
    return raised.value.by_field


def test_a_form_begins_with_what_the_event_says() -> None:
    assert [(pair.name, pair.value) for pair in quantity_pairs(EVENT)] == [
        ("input_tokens", "1200.5"),
        ("output_tokens", "310"),
    ]
    assert [(pair.name, pair.value) for pair in label_pairs(EVENT)] == [
        ("env", "live"),
        ("team", "search"),
    ]
    written = json.loads(data_text(EVENT))
    assert written["quantities"]["input_tokens"] == "1200.5"
    assert written["counted"] == {"input_tokens": "1201"}


def test_lines_keep_their_ids_when_others_go() -> None:
    assert with_another([])[0].id == 0
    assert [pair.id for pair in with_another([Pair(0), Pair(4)])] == [0, 4, 5]
    marked = with_problems([Pair(0), Pair(4)], "meter", {"meter:4": "wrong", "label:0": "x"})
    assert [pair.problem for pair in marked] == ["", "wrong"]


def test_an_event_is_voided_for_a_reason() -> None:
    voided = read({"reason": "sent twice"}, action="void")
    assert (voided.action, voided.data, voided.reason) == ("void", None, "sent twice")
    assert (voided.event.source, voided.event.id, voided.id) == ("my-service", "7f3a", "c1")
    assert problems({"reason": "  "}, action="void").keys() == {"reason"}


def test_an_event_is_amended_by_what_the_fields_say() -> None:
    amended = read(FIELDS)
    assert amended.reason == "counted twice"
    assert amended.data is not None
    assert amended.data.model_dump(exclude={"counted"}) == {
        "application": "app_1",
        "model": "m",
        "key": None,
        "quantities": {"input_tokens": Decimal("0.123456789"), "images": Decimal(2)},
        "labels": {"team": ""},
        # The event keeps its own
        "upstream": None,
    }
    # The local tokenizer counted what it counted, whatever the service should have said
    assert amended.data.counted == {"input_tokens": Decimal(1201)}
    empty_line = read({**FIELDS, "meter:9": "", "quantity:9": ""})
    assert empty_line.data == amended.data


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"reason": "", "model": ""}, {"reason", "model"}),
        ({"model": ""}, {"model"}),
        ({"quantity:3": "two"}, {"meter:3"}),
        ({"quantity:3": "two", "quantity:0": "", "meter:0": ""}, {"meter:3"}),
        ({"quantity:3": ""}, {"meter:3"}),
        ({"quantity:3": "-1"}, {"meter:3"}),
        ({"quantity:3": "NaN"}, {"meter:3"}),
        ({"meter:3": ""}, {"meter:3"}),
        ({"meter:3": "input_tokens"}, {"meter:3"}),
        ({"meter:3": "Two Words"}, {"meter:3"}),
        ({"label:1": "team"}, {"label:1"}),
        ({"value:1": "alone", "label:1": ""}, {"label:1"}),
        (dict.fromkeys(("meter:0", "quantity:0", "meter:3", "quantity:3"), ""), {"quantities"}),
        ({"reason": "x" * 501}, {"reason"}),
    ],
)
def test_what_can_not_be_used_is_told_at_its_field(
    changes: dict[str, str], fields: set[str]
) -> None:
    assert problems({**FIELDS, **changes}).keys() == fields


def test_an_event_is_amended_by_json() -> None:
    data = {"application": "app_2", "model": "n", "quantities": {"images": 0.1}}
    amended = read({"reason": "r", "text": json.dumps(data)}, as_text=True)
    assert amended.data is not None
    assert amended.data.quantities == {"images": Decimal("0.1")}
    for text, phrase in (
        ("{", "line 1"),
        ("[]", "An object"),
        ("", "line 1"),
        (json.dumps({**data, "color": "red"}), "color"),
        (json.dumps({**data, "quantities": {}}), "quantities"),
    ):
        faults = problems({"reason": "r", "text": text}, as_text=True)
        assert faults.keys() == {"text"}, text
        assert phrase in faults["text"]


def test_what_the_api_refuses_is_told_at_its_field() -> None:
    def told(*paths: str, as_text: bool = False) -> set[str]:
        return set(by_field([(path, "wrong") for path in paths], FIELDS, as_text=as_text))

    assert told("corrections.0.data.application") == {"application"}
    assert told("corrections.0.data.quantities.images") == {"meter:3"}
    assert told("corrections.0.data.quantities.gone", "corrections.0.data.labels") == {
        "quantities",
        "labels",
    }
    assert told("corrections.0.reason", "tenant", "") == {"reason", "form"}
    assert told("corrections.0.data.application", as_text=True) == {"text"}
    both = by_field([("reason", "one"), ("reason", "two")], {}, as_text=False)
    assert both == {"reason": "one; two"}


def change(**changes: object) -> UsageChange:
    values = {
        "start": NOW,
        "application": "app_1",
        "key": None,
        "model": "m",
        "meter": "output_tokens",
        "labels": {},
        "quantity": "-1200",
        "event_count": -1,
    }
    return UsageChange.model_validate(values | changes)


def test_what_changes_in_usage() -> None:
    first, second = change(), change(quantity="0.5", key="key_1", labels={"team": "search"})
    rows, left_out = change_rows([first, second], {"app_1": "Web"}, "Europe/Berlin")
    assert left_out == 0
    assert (rows[0].day, rows[0].time) == ("24 Nov 2026", "12:15")
    assert [(row.about, row.meter, row.quantity) for row in rows] == [
        ("Web", "Output tokens", "−1,200"),
        ("Web · key_1 · team=search", "Output tokens", "+0.5"),
    ]
    many, left_out = change_rows([change()] * (SHOWN + 7), {}, "UTC")
    assert (len(many), left_out, many[0].about) == (SHOWN, 7, "app_1")


@pytest.mark.parametrize(
    ("after", "invoices", "difference", "note"),
    [
        ("8.50", [], "−$1.50", ""),
        ("12.00", [], "+$2.00", ""),
        ("10.00", [], "None", ""),
        ("10.00", ["FB-1"], "None", "Invoiced by FB-1."),
        ("8.50", ["FB-1", "FB-2"], "−$1.50", "The next invoice bills the difference."),
    ],
)
def test_what_changes_in_a_period(
    after: str, invoices: list[str], difference: str, note: str
) -> None:
    spend = SpendChange.model_validate(
        {
            "start": datetime(2026, 11, 1, tzinfo=UTC),
            "end": datetime(2026, 12, 1, tzinfo=UTC),
            "before": {"amount": "10.00", "currency": "USD"},
            "after": {"amount": after, "currency": "USD"},
            "invoices": invoices,
        }
    )
    (row,) = period_rows([spend], "UTC")
    assert (row.period, row.before, row.difference) == ("1 – 30 Nov 2026", "$10.00", difference)
    assert row.note.endswith(note)
    assert bool(row.note) == bool(invoices)


def test_events_are_pasted_in_three_ways() -> None:
    event = {"id": "1", "data": {"quantities": {"x": 0.1}}}
    read_as = {"subject": "ten_1", "id": "1", "data": {"quantities": {"x": "0.1"}}}
    for text in (
        json.dumps([event, event]),
        json.dumps(event) + "\n\n" + json.dumps(event) + "\n",
    ):
        assert pasted_events(text, "ten_1") == [read_as, read_as]
    assert pasted_events(json.dumps(event, indent=2), "ten_1") == [read_as]
    assert pasted_events('{"subject": "other"}', "ten_1") == [{"subject": "other"}]


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("", "Paste"),
        ("[]", "no events"),
        ("[{]", "line 1, column 3"),
        ('{"id": 1}\n{"id": }', "line 2, column 8"),
        ("[1]", "place 1"),
        ('{"id": 1}\n7', "place 2"),
        ("[" + " " * MOST_CHARACTERS + "]", "300,000"),
    ],
)
def test_what_is_no_events_is_told(text: str, phrase: str) -> None:
    with pytest.raises(ValueError, match=phrase):
        pasted_events(text, "ten_1")


def test_the_verdict_on_a_backfill() -> None:
    refused = [RejectedEvent(index=n, id=None, field=None, detail="no") for n in range(30)]
    refused[0] = RejectedEvent(index=0, id="a", field="time", detail="is too old")
    verdict = IngestResult(received=1034, accepted=1001, duplicates=3, rejected=30, errors=refused)
    assert verdict_note(verdict) == (
        "1,001 of 1,034 would be counted, 3 are known already, 30 would be refused."
    )
    good = IngestResult(received=1, accepted=1, duplicates=0, rejected=0)
    assert verdict_note(good) == "1 of 1 would be counted."
    rows = refused_rows(verdict)
    assert len(rows) == MOST_REFUSED
    assert [(row.place, row.field) for row in rows[:2]] == [("1, a", "time"), ("2", "")]
