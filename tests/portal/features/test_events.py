"""What the events page asks for, and how it shows events and their corrections."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from backend_client.types.corrections import Correction
from backend_client.types.events import StoredEvent
from portal.features.events.csv_file import event_lines, head_line
from portal.features.events.question import EventQuestion, event_filter, lets_through
from portal.features.events.rows import SHOWN, models_and_meters, newest
from portal.kit.form_problems import FormProblems
from portal.shared.events.correction_rows import correction_row, data_changes
from portal.shared.events.rows import event_json, event_row, fact_rows, quantity_rows

pytestmark = pytest.mark.fast

NOW = datetime(2026, 11, 24, 11, 15, 4, tzinfo=UTC)
NAMES = {"": "Playground", "app_1": "Web", "key_1": "web (…1234)"}


def event(**changes: object) -> StoredEvent:
    values: dict[str, object] = {
        "id": "7f3a",
        "sender": "operator",
        "source": "my-service",
        "time": NOW,
        "received_at": NOW + timedelta(seconds=1),
        "application": "app_1",
        "model": "sample-small",
        "key": "key_1",
        "quantities": {"zebras": "2", "output_tokens": "310", "requests": "1"},
        "labels": {"team": "search"},
        "counted": None,
    }
    return StoredEvent.model_validate(values | changes)


def question(**changes: str) -> dict[str, object]:
    return dict(event_filter(EventQuestion(**changes), now=NOW, time_zone="Europe/Berlin"))


def test_nothing_chosen_asks_for_everything() -> None:
    assert question() == {"start": None, "end": None}
    assert not EventQuestion().is_filtered
    assert EventQuestion(model="m").is_filtered


def test_what_is_chosen_is_asked_for() -> None:
    assert question(span="week")["start"] == NOW - timedelta(days=7)
    chosen = question(
        application="app_1", key="key_1", model="m", meter="images", source="s", event_id="e"
    )
    assert chosen == {
        **question(),
        **{"application": ["app_1"], "key": ["key_1"], "model": ["m"], "meter": ["images"]},
        **{"source": ["s"], "event_id": ["e"]},
    }
    assert question(label="team=a=b")["label"] == {"team": "a=b"}
    between = question(span="between", since="2026-07-01T00:00", until="2026-07-02T00:00:30")
    assert between["start"] == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert between["end"] == datetime(2026, 7, 1, 22, 0, 30, tzinfo=UTC)
    assert question(span="between", since="2026-07-01T00:00")["end"] is None


@pytest.mark.parametrize(
    ("chosen", "field"),
    [
        ({"span": "between", "since": "yesterday"}, "since"),
        ({"span": "between", "until": "0001-01-01T00:00+23:00"}, "until"),
        ({"span": "between", "since": "2026-07-01T00:00", "until": "2026-07-01T00:00"}, "until"),
        ({"label": "team"}, "label"),
        ({"label": "=search"}, "label"),
    ],
)
def test_what_can_not_be_asked_names_its_field(chosen: dict[str, str], field: str) -> None:
    with pytest.raises(FormProblems) as raised:
        question(**chosen)
    assert set(raised.value.by_field) == {field}


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({}, True),
        ({"span": "hour"}, True),
        ({"span": "between", "since": "2026-11-24T12:15:04"}, True),
        ({"span": "between", "since": "2026-11-24T12:15:05"}, False),
        ({"span": "between", "until": "2026-11-24T12:15:04"}, False),
        ({"span": "between", "until": "2026-11-24T12:15:05"}, True),
        ({"application": "app_1", "key": "key_1", "model": "sample-small"}, True),
        ({"application": "app_2"}, False),
        ({"key": "key_2"}, False),
        ({"model": "sample"}, False),
        ({"meter": "zebras"}, True),
        ({"meter": "images"}, False),
        ({"source": "my-service", "event_id": "7f3a"}, True),
        ({"source": "my"}, False),
        ({"event_id": "7f3"}, False),
        ({"label": "team=search"}, True),
        ({"label": "team=sales"}, False),
        ({"label": "note=search"}, False),
    ],
)
def test_what_comes_in_passes_as_the_list_would_have_it(
    changes: dict[str, str], passes: bool
) -> None:
    choice = event_filter(EventQuestion(**changes), now=NOW, time_zone="Europe/Berlin")
    assert lets_through(choice, event()) is passes


def test_an_event_in_a_row() -> None:
    row = event_row(event(), NAMES, "Europe/Berlin")
    assert (row.day, row.time) == ("24 Nov 2026", "12:15:04")
    assert (row.application, row.key, row.model) == ("Web", "web (…1234)", "sample-small")
    assert row.quantities == "1 request · 310 output tokens · 2 zebras"
    assert (row.state, row.fresh) == ("", False)
    unknown = event_row(event(application="app_x", key=None), NAMES, "UTC", fresh=True)
    assert (unknown.application, unknown.key, unknown.fresh) == ("app_x", "", True)
    assert event_row(event(corrected_at=NOW), NAMES, "UTC").state == "Amended"
    assert event_row(event(corrected_at=NOW, voided=True), NAMES, "UTC").state == "Voided"


def test_an_event_in_full() -> None:
    facts = {fact.name: fact.value for fact in fact_rows(event(), NAMES, "UTC")}
    assert facts["Used"] == "24 Nov 2026, 11:15:04"
    assert (facts["Application"], facts["Label team"]) == ("Web, app_1", "search")
    gone = fact_rows(event(key=None, application="app_x"), NAMES, "UTC")
    assert {"None", "app_x"} <= {fact.value for fact in gone}
    rows = quantity_rows(event(counted={"output_tokens": "300", "input_tokens": "7"}))
    assert [(row.meter, row.quantity, row.counted) for row in rows] == [
        ("Requests", "1", "–"),
        ("Input tokens", "–", "7"),
        ("Output tokens", "310", "300"),
        ("Zebras", "2", "–"),
    ]
    written = event_json(event(quantities={"x": "0.1234567890123456789"}))
    assert '"x": "0.1234567890123456789"' in written
    assert '"time": "2026-11-24T11:15:04Z"' in written


def test_events_as_csv() -> None:
    text = head_line() + event_lines(
        [event(source="=1+1", counted={"requests": "2"}), event(key=None, voided=True, labels={})],
        NAMES,
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["meter"] for row in rows] == ["requests", "output_tokens", "zebras"] * 2
    assert (rows[0]["source"], rows[0]["labels"]) == ("'=1+1", "team=search")
    assert (rows[0]["quantity"], rows[0]["counted"], rows[1]["counted"]) == ("1", "2", "")
    assert (rows[0]["key_name"], rows[3]["key"], rows[3]["key_name"]) == ("web (…1234)", "", "")
    assert (rows[0]["state"], rows[3]["state"]) == ("counted", "voided")
    assert event_lines([], NAMES) == ""


def correction(**changes: object) -> Correction:
    data = {"application": "app_1", "model": "m", "quantities": {"output_tokens": "1200"}}
    values: dict[str, object] = {
        "id": "fix-1",
        "event": {"source": "my-service", "id": "7f3a"},
        "action": "amend",
        "reason": "counted twice",
        "actor": "key_9",
        "received_at": NOW,
        "applied_at": NOW,
        "before": data,
        "after": {
            **data,
            "model": "n",
            "key": "key_1",
            "quantities": {"output_tokens": "120", "images": "1"},
            "labels": {"team": "search"},
        },
    }
    return Correction.model_validate(values | changes)


def test_a_correction_tells_what_it_changed() -> None:
    row = correction_row(correction(actor_name="Somebody"), "UTC")
    assert (row.action, row.who, row.when) == ("Amended", "Somebody", "24 Nov 2026, 11:15:04")
    assert row.changes == [
        "Output tokens: 1,200 → 120",
        "Images: none → 1",
        "Model: m → n",
        "Key: none → key_1",
        "Label team: none → search",
    ]
    assert correction_row(correction(), "UTC").who == "key_9"
    void = correction(action="void", after=None)
    assert correction_row(void, "UTC").changes == [
        "It counts for nothing; before: 1,200 output tokens"
    ]
    assert data_changes(None, void.before) == ["It counts again: 1,200 output tokens"]
    assert data_changes(None, None) == ["It was void already."]
    assert data_changes(void.before, void.before) == ["None: the values are the same."]
    waiting = correction_row(correction(applied_at=None, before=None, after=None), "UTC")
    assert (waiting.waits, waiting.changes) == (True, [])


def test_the_first_page_keeps_the_newest() -> None:
    events = [event(id=str(n), time=NOW + timedelta(seconds=n % 7)) for n in range(SHOWN + 1)]
    shown, cut = newest(events)
    assert (len(shown), cut) == (SHOWN, True)
    assert [event.time for event in shown] == sorted((event.time for event in shown), reverse=True)
    assert newest(shown) == (shown, False)


def test_nothing_is_offered_of_no_usage() -> None:
    assert models_and_meters(None) == ([], [])
