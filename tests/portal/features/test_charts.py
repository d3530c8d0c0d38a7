"""Charts as data: rows, series and specs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backend_client.types.common import Money
from backend_client.types.spend import DailySpend, Forecast, Period
from backend_client.types.usage import Granularity, UsageReport, UsageRow
from portal.features.usage.chart import OTHER_SERIES, usage_bars, usage_spec
from portal.features.usage.rows import usage_table
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


def test_tokens_stack_by_meter_in_a_fixed_order_and_requests_stay_out() -> None:
    bars = usage_bars(
        report(used("requests", "3"), used("output_tokens", "40"), used("input_tokens", "7")),
        show="tokens",
        split="meter",
        names=str,
    )
    assert [(s.name, s.total) for s in bars.series] == [
        ("Input tokens", Decimal(7)),
        ("Output tokens", Decimal(40)),
    ]
    assert [row["quantity"] for row in bars.rows] == [7.0, 40.0]


def test_bars_stand_on_the_tenants_wall_clock() -> None:
    bars = usage_bars(report(used("requests", "1")), show="requests", split="meter", names=str)
    (row,) = bars.rows
    eleven_in_berlin = datetime(2026, 11, 24, 11, tzinfo=UTC).timestamp() * 1000
    assert (row["start"], row["end"]) == (eleven_in_berlin, eleven_in_berlin + 3_600_000)
    assert row["when"] == "Tue 24 Nov, 11:00"


def test_models_beyond_the_palette_are_summed_as_other() -> None:
    rows = [used("input_tokens", str(100 - i), model=f"m{i}") for i in range(len(PALETTE) + 2)]
    bars = usage_bars(report(*rows), show="tokens", split="model", names=str.upper)
    assert [s.name for s in bars.series] == [
        *(f"M{i}" for i in range(len(PALETTE))),
        OTHER_SERIES,
    ]
    assert bars.series[-1].total == sum(row.quantity for row in rows[len(PALETTE) :])
    assert sum(row["quantity"] for row in bars.rows) == float(sum(row.quantity for row in rows))


def test_the_spec_holds_no_data_and_no_clock_of_the_browser() -> None:
    bars = usage_bars(report(used("input_tokens", "1")), show="tokens", split="meter", names=str)
    spec = usage_spec(
        bars.series,
        start=HOUR.replace(hour=0),
        end=HOUR,
        granularity=Granularity.HOUR,
        time_zone="Europe/Berlin",
        unit="Tokens",
    )
    assert spec["data"] == {"name": "rows"}
    assert spec["encoding"]["x"]["scale"]["type"] == "utc"
    assert json.dumps(spec)


def test_the_table_is_newest_first_with_a_column_for_each_series() -> None:
    asked = report(
        used("input_tokens", "5", hour=9),
        used("input_tokens", "1000", hour=10),
        used("output_tokens", "2", hour=10),
    )
    bars = usage_bars(asked, show="tokens", split="meter", names=str)
    heads, rows, more = usage_table(bars, asked)
    assert heads == ["Input tokens", "Output tokens"]
    assert [(row.when, row.cells) for row in rows] == [
        ("Tue 24 Nov, 11:00", ["1,000", "2"]),
        ("Tue 24 Nov, 10:00", ["5", "0"]),
    ]
    assert more == 0


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


def test_rows_are_sent_with_the_names_of_their_fields_once() -> None:
    rows: list[dict[str, object]] = [
        {"when": "Mon", "quantity": 1.0},
        {"when": "Tue", "quantity": None},
    ]
    assert packed(rows) == [["when", "quantity"], ["Mon", 1.0], ["Tue", None]]
    assert packed([]) == []
