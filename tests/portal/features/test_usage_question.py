"""What the usage page asks for: ranges in the tenant's time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from pyarrow import parquet

from backend_client.types.calls import CallDimension, CallsRow, CallStatus, Percentiles
from backend_client.types.cost import CostDimension, CostReport, CostRow
from backend_client.types.usage import Granularity, UsageDimension
from portal.features.usage.choices import (
    OPERATOR_SPLITS,
    SHOWN,
    SPLITS,
    WIDTHS,
    UsageChoice,
    WrongTimes,
    from_query,
    moments,
    to_query,
    widths_of,
)
from portal.features.usage.downloads import (
    CUSTOMER_DIMENSIONS,
    as_parquet,
    calls_csv,
    cost_csv,
    divided,
)
from portal.features.usage.measured import of_cost
from portal.features.usage.question import UsageQuestion, the_time_before, usage_question
from portal.features.usage.rows import change_in_words

pytestmark = pytest.mark.fast

NOW = datetime(2026, 11, 24, 23, 40, 12, tzinfo=UTC)


def asked(
    chosen: str = "day", width: str = "", *, now: datetime = NOW, own: str = "UTC", **parts: str
) -> UsageQuestion:
    choice = UsageChoice(range=chosen, width=width, **parts)
    return usage_question(choice, now=now, time_zone=own)


def test_the_last_hour_is_four_quarters_up_to_now() -> None:
    question = asked("hour")
    assert question.start == datetime(2026, 11, 24, 22, 45, tzinfo=UTC)
    assert question.end == datetime(2026, 11, 24, 23, 45, tzinfo=UTC)


def test_days_begin_at_the_tenants_midnight_or_at_that_of_the_chosen_zone() -> None:
    question = asked("week", "day", split="model", own="Asia/Kolkata")
    assert question.start.isoformat() == "2026-11-19T00:00:00+05:30"
    assert question.usage["group_by"] == [UsageDimension.MODEL]
    assert question.usage["time_zone"] is None
    in_tokyo = asked("week", "day", own="Asia/Kolkata", zone="Asia/Tokyo")
    assert in_tokyo.start.isoformat() == "2026-11-19T00:00:00+09:00"
    assert in_tokyo.usage["time_zone"] == "Asia/Tokyo"


def test_a_day_that_changes_the_clock_is_still_a_day() -> None:
    after = datetime(2026, 10, 26, 12, tzinfo=UTC)
    question = asked("week", "day", now=after, own="Europe/Berlin")
    assert question.start.isoformat() == "2026-10-20T00:00:00+02:00"
    assert question.end.isoformat() == "2026-10-27T00:00:00+01:00"


def test_twelve_months_begin_with_a_month() -> None:
    question = asked("year", "month")
    assert question.start == datetime(2025, 12, 1, tzinfo=UTC)
    assert question.end == datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("chosen", WIDTHS)
def test_asking_again_within_a_bucket_asks_the_same(chosen: str) -> None:
    first = asked(chosen, own="Europe/Berlin")
    assert first == asked(chosen, now=NOW + timedelta(seconds=30), own="Europe/Berlin")
    assert first.start < NOW < first.end


CHOICES = [
    UsageChoice(chosen, width.value, show, split, then)
    for show, splits in SPLITS.items()
    for chosen in WIDTHS
    for width in widths_of(UsageChoice(chosen, show=show), "UTC")
    for split in splits
    for then in ("", "key")
    if then != split and not (then and split == "percentile")
]


@pytest.mark.parametrize("show", SHOWN)
def test_an_address_brings_back_what_was_shown(show: str) -> None:
    choices = [choice for choice in CHOICES if choice.show == show]
    assert len(choices) > 10
    for choice in choices:
        assert from_query(to_query(choice)) == choice


def test_two_times_and_a_zone_are_in_the_address() -> None:
    choice = UsageChoice(
        range="between",
        width="hour",
        since="2026-03-28T09:00",
        until="2026-03-29T09:10",
        zone="Europe/Berlin",
    )
    assert from_query(to_query(choice)) == choice
    question = usage_question(choice, now=NOW, time_zone="UTC")
    # By the clocks of Berlin, which are set in that night; on a quarter hour
    assert question.start == datetime(2026, 3, 28, 8, tzinfo=UTC)
    assert question.end == datetime(2026, 3, 29, 7, tzinfo=UTC)
    assert question.granularity is Granularity.HOUR
    assert question.usage["time_zone"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("", ""),
        ("2026-03-02T00:00", ""),
        ("2026-03-02T00:00", "2026-03-01T00:00"),
        ("2026-03-02T00:00", "2026-03-02T00:05"),
        ("2020-03-02T00:00", "2026-03-02T00:00"),
        ("x" * 300, "2026-03-02T00:00"),
    ],
)
def test_times_that_nothing_is_between_are_refused_and_an_address_of_them_is_the_usual(
    since: str, until: str
) -> None:
    choice = UsageChoice(range="between", since=since, until=until)
    with pytest.raises(WrongTimes):
        moments(choice, "UTC")
    address = {"range": "between", "since": since, "until": until, "zone": "Europe/Atlantis"}
    assert from_query(address) == UsageChoice()


def test_an_address_that_means_nothing_shows_the_usual() -> None:
    wrong = {"range": "century", "width": "hour", "show": "cats", "split": "'", "then": "meter"}
    assert from_query(wrong) == UsageChoice()
    assert from_query({"range": "year", "width": "hour"}) == UsageChoice("year", "month")
    assert from_query({"show": "requests"}).split == "model"
    assert from_query({"show": "latency"}).split == "percentile"
    assert from_query({"status": "gone", "then": "percentile"}) == UsageChoice()
    assert to_query(UsageChoice()) == {}


def test_cost_is_asked_for_in_no_more_parts_than_the_api_works_out() -> None:
    hours = {
        Granularity.QUARTER_HOUR: 0.25,
        Granularity.HOUR: 1.0,
        Granularity.DAY: 24.0,
        Granularity.MONTH: 24.0 * 28,
    }
    for chosen in WIDTHS:
        for width in widths_of(UsageChoice(chosen, show="cost"), "UTC"):
            question = asked(chosen, width.value, show="cost", split="model")
            length = (question.end - question.start).total_seconds() / 3600
            assert length / hours[width] <= 200


def test_what_can_not_be_divided_so_is_divided_as_usual() -> None:
    # Calls are not measured by who served them, nor by label
    address = {"show": "requests", "split": "upstream", "label": "a=b"}
    by_upstream = from_query(address, OPERATOR_SPLITS)
    assert (by_upstream.split, by_upstream.label) == ("upstream", "a=b")
    of_status = from_query({**address, "status": "failed"}, OPERATOR_SPLITS)
    assert (of_status.split, of_status.label, of_status.of_calls) == ("model", "", True)
    assert from_query({"show": "errors", "status": "failed"}).status == ""


def test_who_served_a_model_is_for_the_operator_alone() -> None:
    assert set(OPERATOR_SPLITS["tokens"]) - set(SPLITS["tokens"]) == {"upstream"}
    assert set(UsageDimension) - set(CUSTOMER_DIMENSIONS) == {UsageDimension.UPSTREAM}
    assert asked(split="upstream").usage["group_by"] == [UsageDimension.UPSTREAM]
    # Nor does an address bring it to others
    address = {"split": "upstream"}
    assert from_query(address).split == "meter"
    assert from_query(address, OPERATOR_SPLITS).split == "upstream"


def test_filters_are_asked_for_and_are_in_the_address() -> None:
    filters = {"application": "app_1", "key": "key_1", "model": "m", "label": "team=search=1"}
    choice = UsageChoice(**filters, meter="images")
    assert from_query(to_query(choice)) == choice
    usage = asked(**filters, meter="images").usage
    assert (usage["application"], usage["key"], usage["model"]) == (["app_1"], ["key_1"], ["m"])
    assert (usage["label"], usage["meter"]) == ({"team": "search=1"}, ["images"])
    assert from_query({"label": "no value", "model": "m" * 999}).filters == {"model": "m" * 200}
    everything = asked().usage
    assert (everything["application"], everything["label"]) == ([], {})


def test_each_measure_asks_for_the_calls_that_it_is_of() -> None:
    statuses = {show: list(asked(show=show, split="model").calls["status"]) for show in SHOWN}
    assert statuses["errors"] == [CallStatus.FAILED]
    assert statuses["refusals"] == [CallStatus.REFUSED]
    assert statuses["latency"] == statuses["first_token"] == [CallStatus.COMPLETED]
    assert statuses["requests"] == []
    of_status = asked(show="requests", split="key", then="model", status="aborted").calls
    assert of_status["status"] == [CallStatus.ABORTED]
    assert of_status["group_by"] == [CallDimension.KEY, CallDimension.MODEL]
    assert asked(show="latency", split="percentile").calls["group_by"] == []


@pytest.mark.parametrize("chosen", WIDTHS)
def test_as_much_of_the_time_before_is_compared_as_has_passed(chosen: str) -> None:
    question = asked(chosen, split="model", own="Europe/Berlin")
    earlier = the_time_before(question, now=NOW)
    passed = (earlier.end - earlier.start.astimezone(UTC)).total_seconds()
    since = (NOW - question.start).total_seconds()
    # The quarter hour that now is in, to its end
    assert since <= passed <= since + 900
    assert earlier.end <= question.start
    assert (earlier.granularity, earlier.group_by) == (question.granularity, ())
    assert earlier.whole.granularity is Granularity.TOTAL


def test_days_and_months_are_compared_with_days_and_months() -> None:
    week = the_time_before(asked("week", "day", own="Europe/Berlin"), now=NOW)
    assert week.start.isoformat() == "2026-11-12T00:00:00+01:00"
    month = the_time_before(asked("period"), now=NOW)
    assert (month.start, month.end.day) == (datetime(2026, 10, 1, tzinfo=UTC), 24)
    year = the_time_before(asked("year", "month"), now=NOW)
    assert year.start == datetime(2024, 12, 1, tzinfo=UTC)
    times = {"since": "2026-10-20T06:00", "until": "2026-10-25T18:00", "zone": "Europe/Berlin"}
    longer = the_time_before(asked("between", **times), now=NOW)
    assert longer.start.isoformat() == "2026-10-14T06:00:00+02:00"


def test_a_time_that_is_over_or_to_come_is_compared_with_as_much_before_it() -> None:
    for since, until in (("2026-03-01T00:00", "2026-03-04T00:00"), ("2027-01-01", "2027-01-04")):
        question = asked("between", since=since, until=until)
        earlier = the_time_before(question, now=NOW)
        assert earlier.end - earlier.start == timedelta(days=3)


def test_a_change_is_said_in_a_word_or_two() -> None:
    def change(now: int | None, before: int | None) -> str:
        return change_in_words(*(None if each is None else Decimal(each) for each in (now, before)))

    assert change(150, 100) == "+50% on the time before"
    assert change(50, 100) == "−50% on the time before"
    assert change(1001, 1000) == "as much as in the time before"
    assert change(5, 0) == "none in the time before"
    assert change(5, None) == "none in the time before"
    assert change(0, 0) == ""


def test_calls_and_cost_are_files_too() -> None:
    row = CallsRow(
        start=NOW,
        application="=app",
        key="",
        model="m",
        status=CallStatus.COMPLETED,
        cause="",
        calls=3,
        seconds=Percentiles(p50=0.1, p95=0.2, p99=0.3),
        first_token_seconds=None,
    )
    head, line = calls_csv([row]).splitlines()
    assert head.endswith("first_token_p99")
    assert line == f"{NOW.isoformat()},'=app,,m,completed,,3,0.1,0.2,0.3,,,"
    report = CostReport(
        start=NOW,
        end=NOW,
        granularity=Granularity.DAY,
        time_zone="UTC",
        currency="USD",
        rows=[CostRow(start=NOW, model="m", meter="tokens", amount=Decimal("0.0000015"))],
        version=1,
    )
    (cost,) = parquet.read_table(BytesIO(as_parquet(cost_csv(report)))).to_pylist()
    assert (cost["amount"], cost["currency"]) == (Decimal("0.0000015"), "USD")


def test_what_usage_cost_has_a_column_for_each_label() -> None:
    report = CostReport(
        start=NOW,
        end=NOW,
        granularity=Granularity.DAY,
        time_zone="UTC",
        currency="USD",
        rows=[
            CostRow(start=NOW, labels={"team": team, "tier": None}, amount=Decimal(1))
            for team in ("7", "=8", None)
        ],
        version=1,
    )
    text = cost_csv(report, ["team", "tier"])
    assert text.splitlines()[0].endswith("amount,currency,label.team,label.tier")
    table = parquet.read_table(BytesIO(as_parquet(text)))
    # Names stay texts, also where they look like numbers, or where a column has none
    assert table.column("label.team").to_pylist() == ["7", "'=8", None]
    assert {str(table.schema.field(name).type) for name in ("label.tier", "key")} == {"string"}


def test_a_file_is_by_all_that_is_asked_for_and_labels_too() -> None:
    choice = from_query({"show": "cost", "split": "label.team", "then": "model"})
    question = usage_question(choice, now=NOW, time_zone="UTC")
    query = divided(question, CostDimension, ["tier", "team"]).cost
    assert (query["group_by"], query["group_by_label"]) == ([*CostDimension], ["tier", "team"])


def test_usage_in_parquet_is_as_exact_as_in_csv() -> None:
    text = "start,meter,model,quantity,event_count\n2026-11-24T00:00:00Z,tokens,m,0.0000015,3\n"
    (row,) = parquet.read_table(BytesIO(as_parquet(text))).to_pylist()
    assert (row["meter"], row["event_count"]) == ("tokens", 3)
    assert row["quantity"] == Decimal("0.0000015")


def test_what_is_kept_by_label_is_divided_by_one() -> None:
    for show in ("tokens", "requests", "cost"):
        choice = from_query({"show": show, "split": "label.team", "then": "model"})
        assert choice.splits == ("label.team", "model")
        question = usage_question(choice, now=NOW, time_zone="UTC")
        query = question.cost if show == "cost" else question.usage
        assert (query["group_by_label"], list(query["group_by"])) == (["team"], ["model"])
        assert from_query(to_query(choice)) == choice
    for address in ({"show": "errors"}, {"show": "requests", "status": "failed"}):
        assert from_query({**address, "split": "label.team"}).split != "label.team"
    assert from_query({"split": "label."}).split == "meter"
    rows = [
        CostRow(start=NOW, labels={"team": value}, amount=Decimal(amount))
        for value, amount in (("search", 3), (None, 4))
    ]
    report = CostReport(
        start=NOW,
        end=NOW,
        granularity=Granularity.DAY,
        time_zone="UTC",
        currency="USD",
        rows=rows,
        version=1,
    )
    points = of_cost(report, ("label.team",)).points
    assert [point.groups for point in points] == [("search",), ("",)]


def test_a_filter_is_kept_for_what_it_applies_to_alone() -> None:
    """What is not filtered must not read as if it were."""
    tokens = from_query({"label": "team=search", "status": "aborted"})
    assert (tokens.label, tokens.status) == ("team=search", "aborted")
    asked = usage_question(tokens, now=NOW, time_zone="UTC").usage
    assert asked["label"] == {"team": "search", "status": "aborted"}
    cost = from_query({"show": "cost", "label": "team=search", "status": "aborted"})
    assert cost.filters == {"label": "team=search", "status": "aborted"}
    of_cost = usage_question(cost, now=NOW, time_zone="UTC").cost
    assert of_cost["label"] == {"team": "search", "status": "aborted"}
    latency = from_query({"show": "latency", "label": "team=search", "status": "aborted"})
    assert latency.filters == {}
    requests = from_query({"show": "requests", "label": "team=search", "status": "aborted"})
    assert requests.filters == {"status": "aborted"}
