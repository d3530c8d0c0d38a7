"""What the operator's page says of the backlog, and reads of what is put right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend_client import InvalidInput
from backend_client.types.invoices import InvoiceRun
from backend_client.types.pipeline import Pipeline, TenantWaiting, UsageStreamState, WorkerTask
from backend_client.types.problems import FieldError, Problem
from portal.features.operations.forms import events_from
from portal.features.operations.rows import Look, fill, refusal, throughput, waiting_note
from portal.features.operations.runs_rows import run_row
from portal.features.operations.stream_rows import stream_rows
from portal.features.operations.worker_rows import task_row, waiting_rows

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def pipeline(**changes: object) -> Pipeline:
    values: dict[str, object] = {
        "as_of": NOW,
        "waiting_messages": 0,
        "waiting_bytes": 0,
        "most_bytes": 4 * 1024**3,
        "in_progress_messages": 0,
        "oldest_waiting_at": None,
        "counted_at": None,
        "events_counted": 0,
        "duplicates_counted": 0,
        "dead_letters": 0,
        "oldest_dead_letter_at": None,
    }
    return Pipeline.model_validate(values | changes)


def test_what_waits_is_late_after_a_minute() -> None:
    assert waiting_note(pipeline()) == ("Everything is counted", False)
    recent = NOW - timedelta(seconds=59)
    assert waiting_note(pipeline(oldest_waiting_at=recent)) == ("On their way", False)
    note, late = waiting_note(pipeline(oldest_waiting_at=NOW - timedelta(minutes=5)))
    assert late
    assert note == "Oldest from 5 minutes ago. Is a worker running?"


def test_messages_that_are_tried_again_are_told_of() -> None:
    now = pipeline(oldest_waiting_at=NOW, redelivered_messages=3)
    assert waiting_note(now) == ("3 tried again", False)


def test_a_task_of_the_worker_says_when_it_last_worked_and_why_not_since() -> None:
    task = WorkerTask(
        task="wallets",
        succeeded_at=NOW - timedelta(minutes=5),
        failed_at=NOW - timedelta(days=2),
        error="OSError: away",
        consecutive_failures=0,
        restarts=1,
    )
    row = task_row(task, NOW)
    assert (row.task, row.state, row.note) == ("Wallets", "Works", "")
    assert (row.succeeded, row.failed) == ("5 minutes ago", "2 days ago")
    assert task_row(task.model_copy(update={"task": "ended_budgets"}), NOW).task == (
        "Ended budgets"
    )
    failing = task_row(task.model_copy(update={"consecutive_failures": 4}), NOW)
    assert (failing.fails, failing.state, failing.note) == (
        True,
        "Failed 4 times",
        "OSError: away",
    )
    idle = task.model_copy(update={"succeeded_at": None, "failed_at": None})
    assert (task_row(idle, NOW).succeeded, task_row(idle, NOW).failed) == ("Never", "Never")


def test_streams_are_shown_in_a_cluster_with_their_leaders_and_copies() -> None:
    alone = UsageStreamState(
        name="USAGE",
        waiting_messages=3,
        waiting_bytes=90,
        leader=None,
        copies=1,
        copies_in_step=1,
    )
    assert stream_rows([alone]) == []
    led = alone.model_copy(update={"leader": "node-1", "copies": 3, "copies_in_step": 2})
    lost = alone.model_copy(update={"name": "USAGE_2", "copies_in_step": 0})
    rows = stream_rows([led, lost])
    assert [(row.leader, row.copies, row.complete) for row in rows] == [
        ("node-1", "2 of 3", False),
        ("None: one is elected", "0 of 1", False),
    ]


def test_who_waits_longest_is_called_by_name_where_it_is_known() -> None:
    waiting = [
        TenantWaiting(tenant_id=name, oldest_waiting_at=NOW - timedelta(minutes=minutes))
        for name, minutes in (("ten_1", 9), ("ten_2", 2))
    ]
    rows = waiting_rows(waiting, {"ten_1": "A customer"}, NOW)
    assert [(row.tenant, row.since) for row in rows] == [
        ("A customer", "9 minutes ago"),
        ("ten_2", "2 minutes ago"),
    ]


def test_throughput_is_over_the_last_looks() -> None:
    first = Look(NOW, 1_000, 5)
    assert throughput([first]) == ("–", "1,000 in all")
    later = Look(NOW + timedelta(seconds=4), 3_000, 5)
    assert throughput([first, later]) == ("500", "3,000 in all")
    again = Look(NOW + timedelta(seconds=8), 3_000, 12)
    assert throughput([later, again]) == ("0", "3,000 in all, 7 met again just now")


def test_how_full_the_stream_is() -> None:
    assert fill(pipeline()) == ("0.0%", "0 bytes of 4.0 GiB")
    assert fill(pipeline(waiting_bytes=1024)) == ("under 0.1%", "1.0 KiB of 4.0 GiB")
    assert fill(pipeline(waiting_bytes=1024**3)) == ("25.0%", "1.0 GiB of 4.0 GiB")


def test_numbers_are_read_as_they_were_written() -> None:
    digits = "0.1234567890123456789"
    text = f'[{{"quantities": {{"audio_seconds": {digits}, "requests": 2}}}}]'
    assert events_from(text) == [{"quantities": {"audio_seconds": digits, "requests": 2}}]


@pytest.mark.parametrize(
    ("text", "phrase"),
    [("[{]", "line 1, column 3"), ("{}", "An array"), ("[]", "An array"), ("", "line 1, column 1")],
)
def test_what_is_no_array_of_events_is_told(text: str, phrase: str) -> None:
    with pytest.raises(ValueError, match=phrase):
        events_from(text)


def test_a_refusal_names_the_fields() -> None:
    problem = Problem(
        type="about:blank",
        title="The input is not valid",
        status=422,
        detail="Nothing was sent.",
        code="invalid_input",
        errors=[FieldError(field="events.0.id", detail="missing")],
    )
    assert refusal(InvalidInput(problem)) == "events.0.id: missing"
    assert refusal(InvalidInput(problem.model_copy(update={"errors": []}))) == "Nothing was sent."


@pytest.mark.parametrize(
    ("changes", "state", "percent", "progress"),
    [
        ({}, "Running", 25, "250 of 1,000 customers"),
        ({"left": 1000}, "Running", 0, "0 of 1,000 customers"),
        ({"left": 1200}, "Running", 0, "0 of 1,000 customers"),
        ({"left": 0, "state": "finished"}, "Finished", 100, "1,000 of 1,000 customers"),
        ({"left": 2, "state": "finished", "failed": 2}, "With failures", 100, "998 of 1,000"),
        ({"due": 0, "left": 0}, "Running", 100, "0 of 0 customers"),
    ],
)
def test_how_far_an_invoice_run_is(
    changes: dict[str, object], state: str, percent: int, progress: str
) -> None:
    values: dict[str, object] = {
        "id": "run_1",
        "state": "running",
        "as_of": NOW,
        "started_at": NOW,
        "finished_at": None,
        "due": 1000,
        "left": 750,
        "invoiced": 200,
        "nothing_to_bill": 50,
        "failed": 0,
    }
    row = run_row(InvoiceRun.model_validate(values | changes), "UTC")
    assert (row.state, row.percent) == (state, percent)
    assert row.progress.startswith(progress)
    assert row.outcome.startswith("200 invoiced, 50 nothing to bill")
    assert ("2 failed" in row.outcome) is bool(changes.get("failed"))
