"""Platforms as rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend_client.types.platforms import (
    Dispatch,
    PlatformConnection,
    PlatformCursor,
    PlatformDrift,
    PlatformStatus,
    RemoteObject,
)
from portal.features.platforms.forms import backfill_from, by_field, connect_from, skip_from
from portal.features.platforms.rows import (
    connection_row,
    drift_row,
    object_row,
    parked_row,
    platform_row,
    stream_row,
)
from portal.kit.form_problems import FormProblems

pytestmark = pytest.mark.fast

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
NAMES = {"ten_1": "Sample"}
STATUS = PlatformStatus(
    platform="stripe",
    configured=True,
    connections=1200,
    waiting=0,
    refused=0,
    lag_seconds=0,
    inbox_waiting=0,
    inbox_failed=0,
    drift=0,
)


def test_a_platform_says_whether_it_needs_a_person() -> None:
    row = platform_row(STATUS)
    assert (row.name, row.state, row.behind, row.tenants) == ("Stripe", "Works", False, "1,200")
    busy = platform_row(STATUS.model_copy(update={"waiting": 3, "lag_seconds": 61.2}))
    assert (busy.state, busy.waiting) == ("Works", "3, for 61 s")
    for name in ("refused", "inbox_failed", "drift"):
        row = platform_row(STATUS.model_copy(update={name: 1}))
        assert (row.state, row.behind) == ("Needs you", True)
    assert platform_row(STATUS.model_copy(update={"configured": False})).state == "No key is set"


def test_streams_parked_dispatches_and_differences_name_the_customer() -> None:
    cursor = PlatformCursor(
        tenant_id="ten_1",
        platform="stripe",
        stream="documents",
        position=4,
        waiting=2,
        refused=1,
        oldest_waiting_at=NOW - timedelta(minutes=5),
        closed_until=None,
    )
    assert stream_row(cursor, NAMES, NOW).customer == "Sample"
    assert stream_row(cursor.model_copy(update={"oldest_waiting_at": None}), {}, NOW).oldest == ""
    dispatch = Dispatch(
        id="dsp_1",
        tenant_id="ten_2",
        platform="stripe",
        stream="documents",
        action="credit_note",
        subject="inv_1",
        state="refused",
        attempts=1,
        next_attempt_at=None,
        sent_at=None,
        confirmed_at=None,
        remote_id=None,
        reason="Stripe answered 400",
        created_at=NOW,
    )
    parked = parked_row(dispatch, NAMES, NOW)
    assert (parked.customer, parked.what) == ("ten_2", "Credit note: inv_1")
    drift = PlatformDrift(
        tenant_id="ten_1",
        platform="stripe",
        kind="invoice",
        subject="inv_1",
        cause="voided_there",
        ours="finalized",
        theirs="void",
        detail="It was voided there.",
        first_seen_at=NOW,
        last_seen_at=NOW,
    )
    assert drift_row(drift, NAMES, NOW).cause == "Voided there"
    assert drift_row(drift.model_copy(update={"ours": None}), NAMES, NOW).ours == "–"
    assert (
        drift_row(drift.model_copy(update={"cause": "some_other"}), {}, NOW).cause == "Some other"
    )


def test_a_connection_says_what_the_platform_does_and_when() -> None:
    connection = PlatformConnection(
        tenant_id="ten_1", platform="stripe", mode="usage", starts_at=NOW, ends_at=None
    )
    row = connection_row(connection, NAMES, NOW)
    assert (row.customer, row.mode, row.since, row.open) == (
        "Sample",
        "Rates usage",
        "Since 4 May 2026",
        True,
    )
    ends = connection.model_copy(
        update={"starts_at": NOW + timedelta(days=1), "ends_at": NOW + timedelta(days=30)}
    )
    row = connection_row(ends.model_copy(update={"mode": "invoices"}), {}, NOW)
    assert (row.mode, row.since, row.open) == (
        "Collects our invoices",
        "From 5 May 2026, until 3 Jun 2026",
        False,
    )
    item = RemoteObject(
        tenant_id="ten_1",
        platform="stripe",
        kind="credit_note",
        own_id="crn_1",
        remote_id="cn_1",
        created_at=NOW,
    )
    named = object_row(item)
    assert (named.kind, named.ours, named.theirs) == ("Credit note", "crn_1", "cn_1")


def test_forms_say_what_is_missing() -> None:
    wanted = connect_from({"platform": "stripe", "mode": "usage", "starts_at": "2026-06-01"})
    assert (wanted.mode, str(wanted.starts_at)) == ("usage", "2026-06-01 00:00:00+00:00")
    assert connect_from({"platform": "stripe"}).starts_at is None
    assert str(backfill_from({"since": "2026-01-31"}).since) == "2026-01-31 00:00:00+00:00"
    assert skip_from({"reason": " Paid in cash "}).reason == "Paid in cash"
    for make, form, field in (
        (connect_from, {"platform": "stripe", "starts_at": "soon"}, "starts_at"),
        (connect_from, {"platform": "no such"}, "platform"),
        (backfill_from, {}, "since"),
        (skip_from, {}, "reason"),
    ):
        with pytest.raises(FormProblems) as wrong:
            make(form)
        assert list(wrong.value.by_field) == [field]
    assert by_field([("starts_at", "past"), ("", "other")]) == {
        "starts_at": "past",
        "form": "other",
    }
