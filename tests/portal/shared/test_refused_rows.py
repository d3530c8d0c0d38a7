"""Refused events in the words of a list."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from backend_client.types.refused_events import RefusedEvents
from portal.shared.events.refused_rows import refused_row

pytestmark = pytest.mark.fast

REFUSED = RefusedEvents(
    id="ref_1",
    tenant="sample",
    day=date(2026, 3, 1),
    sender="tenant",
    credential="key_1",
    field="time",
    detail="is more than 400 days ago",
    event_count=1_200,
    first_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
    last_at=datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC),
    sample_id="7f3c",
    sample_source="web",
)


def test_a_row_says_how_often_why_and_by_whom() -> None:
    row = refused_row(REFUSED, {"key_1": "web server (…ab12)"}, "Europe/Berlin")
    assert (row.customer, row.events, row.field, row.reason) == (
        "sample",
        "1,200",
        "time",
        "is more than 400 days ago",
    )
    assert (row.sender, row.credential) == ("The customer’s own services", "web server (…ab12)")
    assert (row.sample, row.source) == ("7f3c", "web")
    assert "13:30:15" in row.last


def test_what_is_not_known_is_left_empty() -> None:
    nobody = REFUSED.model_copy(
        update={"tenant": None, "credential": None, "field": None, "sample_id": None}
    )
    row = refused_row(nobody, {}, "UTC")
    assert (row.customer, row.credential, row.field, row.sample) == (
        "Named no customer",
        "",
        "",
        "",
    )
