"""A quota's burn-down: what was used, at what pace, and when it is used up."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backend_client.types.entitlements import QuotaStanding
from backend_client.types.plan_terms import QuotaLimit
from backend_client.types.usage import UsageRow
from portal.features.usage.quotas import burn_down, burn_down_note, burn_down_spec

pytestmark = pytest.mark.fast

START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
NOON = datetime(2026, 11, 11, 12, tzinfo=UTC)


def quota(used: int, quantity: int, *, limit: QuotaLimit = QuotaLimit.HARD) -> QuotaStanding:
    return QuotaStanding(
        meters=["input_tokens", "output_tokens"],
        quantity=Decimal(quantity),
        limit=limit,
        used=Decimal(used),
        remaining=Decimal(max(quantity - used, 0)),
        resets_at=END,
    )


def usage(**tokens: int) -> list[UsageRow]:
    """Tokens by the day of the month."""
    return [
        UsageRow(
            start=START.replace(day=int(day.removeprefix("d"))),
            meter=meter,
            quantity=Decimal(quantity),
            event_count=1,
        )
        for day, quantity in tokens.items()
        for meter in ("output_tokens", "requests")
    ]


def test_what_was_used_grows_day_by_day_and_goes_on_at_the_pace_of_late() -> None:
    held = quota(850, 1900)
    drawn = burn_down(held, usage(d2=100, d6=700, d11=50), start=START, now=NOON, time_zone="UTC")
    by_day = {row["at"]: row["used"] for row in drawn.rows}
    assert by_day[START.timestamp() * 1000] == 0
    assert by_day[datetime(2026, 11, 3, tzinfo=UTC).timestamp() * 1000] == 100
    assert by_day[NOON.timestamp() * 1000] == 850
    # 750 in the 7 and a half days since the 4th
    assert drawn.pace == 100
    assert drawn.ends == datetime(2026, 11, 22, tzinfo=UTC)
    assert drawn.rows[-1]["expected"] == 850 + 1950
    assert {row["limit"] for row in drawn.rows} == {1900.0}
    note = burn_down_note(held, drawn, "UTC")
    assert note.startswith("850 of 1,900 used; renewed on 1 Dec 2026. At the pace of the ")
    assert "used up on 22 Nov 2026; calls are refused" in note
    assert json.dumps(burn_down_spec(held, drawn, start=START, time_zone="UTC"))


def test_a_quota_that_lasts_and_one_that_is_used_up() -> None:
    lasting = quota(10, 1_000_000)
    drawn = burn_down(lasting, usage(d10=10), start=START, now=NOON, time_zone="UTC")
    assert drawn.ends is None
    assert burn_down_note(lasting, drawn, "UTC").endswith("it lasts.")
    gone = quota(120, 100, limit=QuotaLimit.SOFT)
    drawn = burn_down(gone, usage(d10=120), start=START, now=NOON, time_zone="UTC")
    assert drawn.ends == NOON
    assert burn_down_note(gone, drawn, "UTC").endswith("Calls go on.")


def test_nothing_used_has_no_pace() -> None:
    drawn = burn_down(quota(0, 5), [], start=NOON, now=NOON, time_zone="Asia/Kolkata")
    assert (drawn.pace, drawn.ends) == (0, None)
