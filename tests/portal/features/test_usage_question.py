"""What the usage page asks for: ranges in the tenant's time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend_client.types.usage import Granularity, UsageDimension
from portal.features.usage.question import RANGES, WIDTHS, usage_question

pytestmark = pytest.mark.fast

NOW = datetime(2026, 11, 24, 23, 40, 12, tzinfo=UTC)


def test_the_last_hour_is_four_quarters_up_to_now() -> None:
    question = usage_question("hour", "quarter_hour", "meter", now=NOW, time_zone="UTC")
    assert question.start == datetime(2026, 11, 24, 22, 45, tzinfo=UTC)
    assert question.end == datetime(2026, 11, 24, 23, 45, tzinfo=UTC)


def test_days_begin_at_the_tenants_midnight() -> None:
    question = usage_question("week", "day", "model", now=NOW, time_zone="Asia/Kolkata")
    assert question.start.isoformat() == "2026-11-19T00:00:00+05:30"
    assert question.group_by == (UsageDimension.MODEL,)


def test_a_day_that_changes_the_clock_is_still_a_day() -> None:
    after = datetime(2026, 10, 26, 12, tzinfo=UTC)
    question = usage_question("week", "day", "meter", now=after, time_zone="Europe/Berlin")
    assert question.start.isoformat() == "2026-10-20T00:00:00+02:00"
    assert question.end.isoformat() == "2026-10-27T00:00:00+01:00"


def test_twelve_months_begin_with_a_month() -> None:
    question = usage_question("year", "month", "meter", now=NOW, time_zone="UTC")
    assert question.start == datetime(2025, 12, 1, tzinfo=UTC)
    assert question.end == datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("chosen", RANGES)
def test_asking_again_within_a_bucket_asks_the_same(chosen: str) -> None:
    width = WIDTHS[chosen][0].value
    first = usage_question(chosen, width, "meter", now=NOW, time_zone="Europe/Berlin")
    later = NOW + timedelta(seconds=30)
    assert first == usage_question(chosen, width, "meter", now=later, time_zone="Europe/Berlin")
    assert first.start < NOW < first.end


def test_words_nobody_offered_mean_the_usual() -> None:
    question = usage_question("'; drop", "second", "tenant", now=NOW, time_zone="UTC")
    assert question.granularity is Granularity.HOUR
    assert question.group_by == (UsageDimension.METER,)
