"""Charts as data: rows, series and specs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from backend_client.types.calls import CallsReport, CallsRow, Percentiles
from backend_client.types.common import Money
from backend_client.types.spend import DailySpend, Forecast, Period
from backend_client.types.usage import Granularity, UsageReport, UsageRow
from portal.features.usage.chart import chart_spec
from portal.features.usage.choices import UsageChoice
from portal.features.usage.drawing import OTHER_SERIES, Drawing, Series, drawing
from portal.features.usage.figures import Figures
from portal.features.usage.measured import of_calls, of_usage, shown_as
from portal.features.usage.picture import picture_of
from portal.features.usage.question import usage_question
from portal.features.usage.rows import group_name, moved, usage_table
from portal.kit.chart_look import PALETTE
from portal.kit.vega_chart import packed
from portal.shared.forecast.chart import forecast_rows, spend_spec
from portal.shared.forecast.outlook import forecast_description

pytestmark = pytest.mark.fast

HOUR = datetime(2026, 11, 24, 10, tzinfo=UTC)


def report(*rows: UsageRow, granularity: Granularity = Granularity.HOUR) -> UsageReport:
    return UsageReport(
        start=HOUR.replace(hour=0),
        end=HOUR.replace(hour=12),
        granularity=granularity,
        time_zone="Europe/Berlin",
        rows=list(rows),
        version=7,
        last_event_at=HOUR,
    )


def used(meter: str, quantity: str, *, model: str | None = None, hour: int = 10) -> UsageRow:
    return UsageRow(
        start=HOUR.replace(hour=hour),
        meter=meter,
        model=model,
        quantity=Decimal(quantity),
        event_count=1,
    )


def drawn(
    asked: UsageReport,
    *splits: str,
    show: str = "tokens",
    names: Callable[[str, str], str] = lambda split, id_: id_,
) -> Drawing:
    measured = of_usage(asked, splits, show=show, meter="")
    return drawing(measured, splits=splits, names=names)


def test_tokens_stack_by_meter_in_a_fixed_order_and_requests_stay_out() -> None:
    bars = drawn(
        report(used("requests", "3"), used("output_tokens", "40"), used("input_tokens", "7")),
        "meter",
        names=partial(group_name, {}),
    )
    assert [(s.name, s.total) for s in bars.series] == [
        ("Input tokens", Decimal(7)),
        ("Output tokens", Decimal(40)),
    ]
    assert [row["quantity"] for row in bars.rows] == [7.0, 40.0]


def test_bars_stand_on_the_tenants_wall_clock() -> None:
    (row,) = drawn(report(used("requests", "1")), "model", show="requests").rows
    eleven_in_berlin = datetime(2026, 11, 24, 11, tzinfo=UTC).timestamp() * 1000
    assert (row["start"], row["end"]) == (eleven_in_berlin, eleven_in_berlin + 3_600_000)
    assert row["when"] == "Tue 24 Nov, 11:00"


def test_a_bar_of_another_zone_leads_to_events_by_the_tenants_clock() -> None:
    measured = of_usage(report(used("requests", "1")), ["model"], show="requests", meter="")
    (row,) = drawing(
        measured, splits=["model"], names=lambda split, id_: id_, own_zone="Asia/Tokyo"
    ).rows
    assert row["since"] == datetime(2026, 11, 24, 19, tzinfo=UTC).timestamp() * 1000
    assert row["start"] == datetime(2026, 11, 24, 11, tzinfo=UTC).timestamp() * 1000


def test_models_beyond_the_palette_are_summed_as_other() -> None:
    rows = [used("input_tokens", str(100 - i), model=f"m{i}") for i in range(len(PALETTE) + 2)]
    bars = drawn(report(*rows), "model", names=lambda split, id_: id_.upper())
    assert [s.name for s in bars.series] == [
        *(f"M{i}" for i in range(len(PALETTE))),
        OTHER_SERIES,
    ]
    assert bars.series[-1].total == sum(row.quantity for row in rows[len(PALETTE) :])
    assert sum(row["quantity"] for row in bars.rows) == float(sum(row.quantity for row in rows))


def test_two_dimensions_make_a_series_of_each_pair() -> None:
    asked = report(
        used("input_tokens", "5", model="a"),
        used("output_tokens", "7", model="a"),
        used("input_tokens", "1", model="b"),
    )
    bars = drawn(asked, "model", "meter", names=partial(group_name, {}))
    assert [(series.name, series.total) for series in bars.series] == [
        ("a · Output tokens", Decimal(7)),
        ("a · Input tokens", Decimal(5)),
        ("b · Input tokens", Decimal(1)),
    ]
    first = next(row for row in bars.rows if row["series"] == "a · Output tokens")
    assert (first["group"], first["then"]) == ("a", "output_tokens")
    spec = json.dumps(usage_spec(bars.series, splits=("model", "meter")))
    assert "&model=" in spec
    assert "&meter=" in spec


def usage_spec(
    series: Sequence[Series], *, splits: Sequence[str] = (), lines: bool = False
) -> dict[str, Any]:
    return chart_spec(
        series,
        start=HOUR.replace(hour=0),
        end=HOUR,
        granularity=Granularity.HOUR,
        time_zone="Europe/Berlin",
        unit="Tokens",
        splits=splits,
        lines=lines,
        events=not lines,
    )


def test_the_spec_holds_no_data_and_no_clock_of_the_browser() -> None:
    spec = usage_spec(drawn(report(used("input_tokens", "1")), "meter").series)
    assert spec["data"] == {"name": "rows"}
    assert spec["layer"][0]["encoding"]["x"]["scale"]["type"] == "utc"
    assert json.dumps(spec)


def test_the_table_is_newest_first_with_a_column_for_each_series() -> None:
    asked = report(
        used("input_tokens", "5", hour=9),
        used("input_tokens", "1000", hour=10),
        used("output_tokens", "2", hour=10),
    )
    measured = of_usage(asked, ["meter"], show="tokens", meter="")
    bars = drawing(measured, splits=["meter"], names=partial(group_name, {}))
    heads, rows, more = usage_table(bars, measured)
    assert heads == ["Input tokens", "Output tokens"]
    assert [(row.when, row.cells) for row in rows] == [
        ("Tue 24 Nov, 11:00", ["1,000", "2"]),
        ("Tue 24 Nov, 10:00", ["5", "0"]),
    ]
    assert more == 0


def calls(*rows: CallsRow) -> CallsReport:
    return CallsReport(
        start=HOUR, end=HOUR, granularity=Granularity.HOUR, time_zone="UTC", rows=list(rows)
    )


def test_times_are_lines_by_percentile_and_are_never_added_up() -> None:
    times = Percentiles(p50=0.2, p95=1.5, p99=12)
    row = CallsRow(start=HOUR, calls=4, seconds=times, first_token_seconds=None)
    measured = of_calls(calls(row), ["percentile"], show="latency")
    lines = drawing(
        measured,
        splits=["percentile"],
        names=partial(group_name, {}),
        shown=shown_as("latency", ""),
        adds_up=False,
    )
    assert [(each["series"], each["shown"]) for each in lines.rows] == [
        ("50%", "200 ms"),
        ("95%", "1.50 s"),
        ("99%", "12 s"),
    ]
    assert of_calls(calls(row), ["percentile"], show="first_token").points == ()
    many = [row.model_copy(update={"model": f"m{number}"}) for number in range(len(PALETTE) + 1)]
    by_model = drawing(
        of_calls(calls(*many), ["model"], show="latency"),
        splits=["model"],
        names=lambda split, id_: id_,
        adds_up=False,
    )
    assert OTHER_SERIES not in {series.name for series in by_model.series}
    assert {row["quantity"] for row in by_model.rows} == {1.5}
    assert "href" not in json.dumps(usage_spec(lines.series, lines=True))


def test_refusals_are_counted_by_the_limit_that_caused_them() -> None:
    rows = [
        CallsRow(start=HOUR, cause=cause, calls=number, seconds=None, first_token_seconds=None)
        for cause, number in (("requests_per_minute", 3), ("a_new_code", 1))
    ]
    measured = of_calls(calls(*rows), ["cause"], show="refusals")
    bars = drawing(measured, splits=["cause"], names=partial(group_name, {}))
    assert [(series.name, series.total) for series in bars.series] == [
        ("Requests a minute", 3),
        ("A new code", 1),
    ]


def test_the_time_before_is_drawn_over_what_it_is_compared_with() -> None:
    before = of_usage(report(used("requests", "4", hour=9)), [], show="requests", meter="")
    (compared,) = moved(before, HOUR - timedelta(hours=1), HOUR)
    assert compared == (HOUR, Decimal(4))
    now = of_usage(report(used("requests", "5")), ["model"], show="requests", meter="")
    rows = drawing(now, splits=["model"], names=lambda split, id_: id_, before=[compared]).rows
    assert [(row["before"], row["quantity"]) for row in rows] == [(False, 5.0), (True, 4.0)]
    assert rows[0]["start"] == rows[1]["start"]


def test_a_day_of_the_time_before_stays_a_day_when_clocks_change() -> None:
    # The clocks of Berlin are set back on 25 October
    since, to = datetime(2026, 10, 23, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC)
    day = UsageRow(start=since, meter="requests", quantity=Decimal(4), event_count=1)
    days = report(day, granularity=Granularity.DAY)
    before = of_usage(days, [], show="requests", meter="")
    ((start, _),) = moved(before, since, to)
    assert start == to


def forecast() -> Forecast:
    def day(number: int, actual: str | None, *bounds: str) -> DailySpend:
        low, expected, high = (Decimal(b) for b in bounds) if bounds else (None, None, None)
        return DailySpend(
            day=datetime(2026, 11, number, tzinfo=UTC),
            actual=None if actual is None else Decimal(actual),
            expected=expected,
            low=low,
            high=high,
        )

    def dollars(amount: str) -> Money:
        return Money(amount=Decimal(amount), currency="USD")

    return Forecast(
        period=Period(
            start=datetime(2026, 11, 1, tzinfo=UTC),
            end=datetime(2026, 12, 1, tzinfo=UTC),
            time_zone="UTC",
        ),
        method="prophet",
        reason=None,
        history_days=60,
        expected=dollars("9.00"),
        low=dollars("7.00"),
        high=dollars("12.00"),
        days=[day(1, "1.00"), day(2, "2.5"), day(3, None, "3", "4", "5")],
        computed_at=HOUR,
        version=1,
    )


def test_the_band_grows_out_of_the_last_actual_day() -> None:
    rows = forecast_rows(forecast())
    assert [row["actual"] for row in rows] == [1.0, 2.5, None]
    assert [row["expected"] for row in rows] == [None, 2.5, 4.0]
    assert (rows[1]["low"], rows[1]["high"]) == (2.5, 2.5)
    assert rows[2]["high_shown"] == "$5.00"


def test_the_forecasts_spec_and_what_a_screen_reader_says() -> None:
    spec = spend_spec(forecast().period, "USD")
    assert len(spec["layer"]) == 4
    assert json.dumps(spec)
    said = forecast_description(forecast())
    assert "$2.50 so far" in said
    assert "between $7.00 and $12.00" in said


def test_tabs_that_show_the_same_share_a_picture_until_something_has_another_name() -> None:
    choice = UsageChoice(split="key", show="requests")
    question = usage_question(choice, now=HOUR, time_zone="UTC")
    row = used("requests", "3").model_copy(update={"key": "key_1"})
    measured = of_usage(report(row), ["key"], show="requests", meter="")
    shown = Figures(measured, Decimal(3), Decimal(2), [])
    first = picture_of(shown, question, choice, {"key_1": "Search"}, "UTC")
    other = {"key_1": "Search", "key_2": "Another"}
    assert picture_of(shown, question, choice, other, "UTC") is first
    assert (first.heading, first.total, first.change) == (
        "Requests",
        "3",
        "+50% on the time before",
    )
    assert [entry.name for entry in first.legend] == ["Search"]
    renamed = picture_of(shown, question, choice, {"key_1": "Find"}, "UTC")
    assert [entry.name for entry in renamed.legend] == ["Find"]


def test_rows_are_sent_in_columns_and_what_many_have_once() -> None:
    rows: list[dict[str, object]] = [
        {"when": "Mon", "series": "a", "quantity": 1.0, "before": False},
        {"when": "Mon", "series": "b", "quantity": 2.0, "before": False},
        {"when": "Tue", "series": "a", "quantity": None, "before": False},
        {"when": "Tue", "series": "b", "quantity": 1, "before": 0},
    ]
    assert packed(rows) == [
        ["when", ["Mon", "Tue"], [0, 0, 1, 1]],
        ["series", ["a", "b"], [0, 1, 0, 1]],
        ["quantity", [1.0, 2.0, None, 1]],
        ["before", [False, 0], [0, 0, 0, 1]],
    ]
    assert packed([]) == []
