"""What the usage page asks for: ranges in the tenant's time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from pyarrow import parquet

from backend_client.types.usage import Granularity, UsageDimension, UsageReport, UsageRow
from portal.features.usage.downloads import CUSTOMER_DIMENSIONS, as_parquet
from portal.features.usage.question import (
    OPERATOR_SPLITS,
    RANGES,
    SHOWN,
    SPLITS,
    WIDTHS,
    UsageChoice,
    from_query,
    the_time_before,
    to_query,
    usage_question,
)
from portal.features.usage.rows import change_of

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


CHOICES = [
    UsageChoice(chosen, width.value, show, split)
    for chosen, widths in WIDTHS.items()
    for width in widths
    for show in SHOWN
    for split in SPLITS
    # Requests are one meter
    if (show, split) != ("requests", "meter")
]


@pytest.mark.parametrize("choice", CHOICES)
def test_an_address_brings_back_what_was_shown(choice: UsageChoice) -> None:
    assert from_query(to_query(choice)) == choice


def test_an_address_that_means_nothing_shows_the_usual() -> None:
    wrong = {"range": "century", "width": "hour", "show": "cats", "split": "'"}
    assert from_query(wrong) == UsageChoice()
    assert from_query({"range": "year", "width": "hour"}) == UsageChoice("year", "month")
    assert from_query({"show": "requests"}).split == "model"
    assert to_query(UsageChoice()) == {}


def test_who_served_a_model_is_for_the_operator_alone() -> None:
    assert set(OPERATOR_SPLITS) - set(SPLITS) == {"upstream"}
    assert set(UsageDimension) - set(CUSTOMER_DIMENSIONS) == {UsageDimension.UPSTREAM}
    question = usage_question("day", "hour", "upstream", now=NOW, time_zone="UTC")
    assert question.group_by == (UsageDimension.UPSTREAM,)
    # Nor does an address bring it to others
    address = {"split": "upstream"}
    assert from_query(address).split == "meter"
    assert from_query(address, OPERATOR_SPLITS).split == "upstream"


def test_filters_are_asked_for_and_are_in_the_address() -> None:
    choice = UsageChoice(application="app_1", key="key_1", model="m", label="team=search=1")
    assert from_query(to_query(choice)) == choice
    question = usage_question(
        "day", "hour", "model", now=NOW, time_zone="UTC", filters=choice.filters
    )
    asked = question.query
    assert (asked["application"], asked["key"], asked["model"]) == (["app_1"], ["key_1"], ["m"])
    assert asked["label"] == {"team": "search=1"}
    assert from_query({"label": "no value", "model": "m" * 999}).filters == {"model": "m" * 200}
    everything = usage_question("day", "hour", "model", now=NOW, time_zone="UTC").query
    assert (everything["application"], everything["label"]) == ([], {})


@pytest.mark.parametrize("chosen", RANGES)
def test_as_much_time_before_is_compared_as_has_passed(chosen: str) -> None:
    question = usage_question(chosen, "", "model", now=NOW, time_zone="Europe/Berlin")
    earlier = the_time_before(question, now=NOW)
    assert earlier.end == question.start
    passed = earlier.end - earlier.start
    # The quarter hour that now is in, to its end
    assert NOW - question.start <= passed <= NOW - question.start + timedelta(minutes=15)
    assert (earlier.granularity, earlier.group_by) == (Granularity.TOTAL, ())


def test_a_change_is_said_in_a_word_or_two() -> None:
    def report(**quantities: int) -> UsageReport:
        rows = [
            UsageRow(start=NOW, meter=meter, quantity=Decimal(quantity), event_count=1)
            for meter, quantity in quantities.items()
        ]
        return UsageReport(
            start=NOW,
            end=NOW,
            granularity=Granularity.TOTAL,
            time_zone="UTC",
            rows=rows,
            version=1,
            last_event_at=None,
        )

    def change(now: int, before: int) -> str:
        sums = report(input_tokens=now, requests=9), report(input_tokens=before, requests=1)
        return change_of(*sums, ["input_tokens"])

    assert change(150, 100) == "+50% on the time before"
    assert change(50, 100) == "−50% on the time before"
    assert change(1001, 1000) == "as much as in the time before"
    assert change(5, 0) == "none in the time before"
    assert change(0, 0) == ""


def test_usage_in_parquet_is_as_exact_as_in_csv() -> None:
    text = "start,meter,model,quantity,event_count\n2026-11-24T00:00:00Z,tokens,m,0.0000015,3\n"
    (row,) = parquet.read_table(BytesIO(as_parquet(text))).to_pylist()
    assert (row["meter"], row["event_count"]) == ("tokens", 3)
    assert row["quantity"] == Decimal("0.0000015")
