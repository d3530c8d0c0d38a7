"""What each format says, and that a parser refuses what it does not understand, and where."""

from __future__ import annotations

import gzip
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.exports.parsing import ALL
from tests.metering.reconciliation.exports import (
    ANTHROPIC_COST,
    ANTHROPIC_USAGE,
    OPENAI_COSTS_CSV,
    OPENAI_USAGE_CSV,
    anthropic_report,
    openai_costs,
    openai_usage,
    read,
)

pytestmark = pytest.mark.fast

DAY = date(2025, 10, 5)
GPT, CLAUDE = "gpt-4o-2024-08-06", "claude-sonnet-4-5-20250929"


def told(content: Any, **options: Any) -> tuple[str, dict[tuple[str, str], Any]]:
    """The format and, of the one day, quantities and amounts by model and meter."""
    chosen, export = read(content, **options)
    assert {day for day, _, _ in export.sums} == {DAY}
    return chosen, {
        (model, meter): sums.amount if sums.quantity is None else sums.quantity
        for (_, model, meter), sums in export.sums.items()
    }


def test_openais_usage_splits_cached_from_fresh_input() -> None:
    assert told(openai_usage({}, {"input_cached_tokens": None, "model": "o3"})) == (
        "openai-usage-json",
        {
            (GPT, "requests"): 5,
            (GPT, "input_tokens"): 200,
            (GPT, "cached_input_tokens"): 800,
            (GPT, "output_tokens"): 500,
            ("o3", "requests"): 5,
            ("o3", "input_tokens"): 1000,
            ("o3", "output_tokens"): 500,
        },
    )


def test_openais_other_results_have_meters_of_their_own() -> None:
    place = {"input_tokens": 0, "output_tokens": 0, "input_cached_tokens": 0}
    images = {"object": "organization.usage.images.result", "images": 3, "size": "1024x1024"}
    seconds = {"object": "organization.usage.audio_transcriptions.result", "seconds": 90}
    page = openai_usage({**place, **images}, {**place, **seconds})
    for result in page["data"][0]["results"]:
        for name in (*place, "batch"):
            del result[name]
    chosen, quantities = told(page)
    assert chosen == "openai-usage-json"
    assert quantities == {
        (GPT, "requests"): 10,
        (GPT, "images"): 3,
        (GPT, "audio_seconds"): 90,
    }


def test_pages_in_an_array_are_one_export() -> None:
    pages = [openai_usage({}, has_more=True, next_page="x"), openai_usage({}, day=1)]
    _, export = read(pages)
    assert export.covered == (DAY, date(2025, 10, 6))
    assert len(export.sums) == 8


def test_openais_usage_csv_sums_over_projects_and_keys() -> None:
    chosen, export = read(OPENAI_USAGE_CSV)
    assert chosen == "openai-usage-csv"
    assert export.covered == (DAY, date(2025, 10, 6))  # a day without usage is covered too
    sums = {meter: sums.quantity for (_, _, meter), sums in export.sums.items()}
    assert sums == {
        "requests": 12,
        "input_tokens": 54_240,
        "cached_input_tokens": 5_760,
        "output_tokens": 11_000,
    }


def test_openais_costs_are_by_line_item_or_by_day() -> None:
    exact = {(GPT, "input_tokens"): Decimal("0.1336"), (ALL, ALL): Decimal("0.1065")}
    assert told(OPENAI_COSTS_CSV) == ("openai-costs-csv", exact)
    page = openai_costs(
        {},
        {"line_item": f"{GPT}, output", "amount": {"value": 0.1, "currency": "usd"}},
        {"line_item": f"{GPT}, Cached input", "amount": {"value": "0.000001", "currency": "usd"}},
        {"line_item": "web search tool calls"},
        {"line_item": None},
        {"amount": None},
    )
    chosen, amounts = told(page)
    assert chosen == "openai-costs-json"
    assert amounts == {
        (GPT, "input_tokens"): Decimal("0.06"),
        (GPT, "output_tokens"): Decimal("0.1"),
        (GPT, "cached_input_tokens"): Decimal("0.000001"),
        ("web search tool calls", ALL): Decimal("0.06"),
        (ALL, ALL): Decimal("0.06"),
    }


def test_anthropics_usage_has_written_cache_by_itself() -> None:
    assert told(anthropic_report(ANTHROPIC_USAGE)) == (
        "anthropic-usage-json",
        {
            (CLAUDE, "input_tokens"): 1_500,
            (CLAUDE, "cache_write_tokens"): 500,
            (CLAUDE, "cache_write_1h_tokens"): 1_000,
            (CLAUDE, "cached_input_tokens"): 200,
            (CLAUDE, "output_tokens"): 500,
            (CLAUDE, "web_search_requests"): 10,
        },
    )


def test_anthropics_amounts_are_cents() -> None:
    none = dict.fromkeys(("model", "token_type", "description", "cost_type"))
    report = anthropic_report(ANTHROPIC_COST, ANTHROPIC_COST | none | {"amount": "100"})
    assert told(report) == (
        "anthropic-cost-json",
        {(CLAUDE, "input_tokens"): Decimal("1.2345"), (ALL, ALL): Decimal(1)},
    )


WIDE = {
    "day": "Date",
    "model": "Model",
    "quantities": {"input_tokens": "In", "output_tokens": "Out"},
    "unit_size": 1000,
    "ignore": ["Team"],
}
LONG = {
    "day": "at",
    "model": "model",
    "meter": "kind",
    "quantity": "n",
    "meters": {"prompt": "input_tokens"},
    "amount": "cost",
    "amount_currency": "EUR",
    "delimiter": ";",
}


def test_a_mapping_reads_a_column_for_each_meter() -> None:
    content = "\ufeffDate,Model,In,Out,Team\r\n2025-10-05,m,1.5,,red\r\n2025-10-05,m,0.001,2,\r\n"
    assert told(content, mapping=WIDE) == (
        "csv",
        {("m", "input_tokens"): Decimal("1501"), ("m", "output_tokens"): Decimal(2000)},
    )


def test_a_mapping_reads_a_row_for_each_meter_in_its_own_time_zone() -> None:
    content = 'at;model;kind;n;cost\n2025-10-04T23:30:00Z;"m";prompt;7;0.25\n'
    chosen, export = read(content, mapping=LONG, time_zone="Europe/Berlin")
    assert (chosen, export.currency) == ("csv", "EUR")
    sums = export.sums[DAY, "m", "input_tokens"]
    assert (sums.quantity, sums.amount) == (7, Decimal("0.25"))


def changed(path: str, value: Any) -> dict[str, Any]:
    """A usage page with one member changed."""
    page = json.loads(json.dumps(openai_usage({})))
    at = page
    *way, last = path.replace("[", ".").replace("]", "").split(".")
    for step in way:
        at = at[int(step) if step.isdigit() else step]
    at[last] = value
    return dict(page)


RESULT = "data[0].results[0]"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (f"{RESULT}.input_tokens", -1, "negative"),
        (f"{RESULT}.input_tokens", "NaN", "not a number"),
        (f"{RESULT}.input_tokens", "Infinity", "not a number"),
        (f"{RESULT}.input_tokens", 1.5, "not a whole number"),
        (f"{RESULT}.input_tokens", 10**30, "larger than any"),
        (f"{RESULT}.input_tokens", True, "not a number"),
        (f"{RESULT}.input_tokens", [1], "not a number"),
        (f"{RESULT}.input_tokens", "1_000", "not a number"),
        (f"{RESULT}.input_cached_tokens", 1001, "more than input_tokens"),
        (f"{RESULT}.input_video_tokens", 5, "not understood"),
        (f"{RESULT}.model", None, "group the export by model"),
        (f"{RESULT}.model", "", "not a name"),
        (f"{RESULT}.model", "a\u0000b", "not a name"),
        (f"{RESULT}.model", "x" * 201, "not a name"),
        (f"{RESULT}.object", "organization.usage.vector_stores.result", "is not usage by model"),
        ("data[0].start_time", 1_759_622_400_000, "milliseconds"),
        ("data[0].start_time", "yesterday", "not an RFC 3339 time"),
        ("data[0].start_time", "0001-01-01T00:00:00+14:00", "not a day on which"),
        ("data[0].end_time", "9999-12-31T23:59:59-14:00", "not a day on which"),
        ("data[0].end_time", 10**40, "milliseconds"),
        ("data[0].start_time", 86_400, "not a day on which"),
        ("data[0].start_time", 1_759_622_401 + 86_400, "ends before it starts"),
        ("data[0].start_time", 1_759_622_399, "longer than the day"),
        ("data[0].results", {}, "not an array"),
        ("data", None, "not an array"),
        ("has_more", True, "has more pages"),
        ("object", "list", "is not 'page'"),
        ("surprise", 1, "not understood"),
    ],
)
def test_a_member_that_is_not_understood_is_named(path: str, value: Any, said: str) -> None:
    with pytest.raises(UnreadableExport) as refused:
        read(changed(path, value), format="openai-usage-json")
    assert said in refused.value.detail
    assert refused.value.errors[0].field == path


def test_a_name_that_is_there_twice_is_refused_where_it_stands() -> None:
    content = json.dumps(openai_usage({})).replace(
        '"input_tokens": ', '"input_tokens": 7, "input_tokens": '
    )
    with pytest.raises(UnreadableExport, match=r"input_tokens: occurs twice") as refused:
        read(content.encode())
    assert refused.value.errors[0].field == f"{RESULT}.input_tokens"


def test_what_only_json_can_say_is_refused_in_words_that_can_be_sent() -> None:
    for path, value in ((f"{RESULT}.\ud800", 1), (f"{RESULT}.model", "\ud800")):
        with pytest.raises(UnreadableExport) as refused:
            read(changed(path, value))
        assert "ud800" in refused.value.detail.encode().decode()


def test_a_member_may_be_ignored_by_its_name() -> None:
    page = changed(f"{RESULT}.input_video_tokens", 5)
    assert len(read(page, ignore_fields=["input_video_tokens"])[1].sums) == 4
    other = "organization.usage.vector_stores.result"
    assert not read(changed(f"{RESULT}.object", other), ignore_fields=[other])[1].sums


@pytest.mark.parametrize(
    ("content", "where", "said"),
    [
        (b"", "line 1", "columns of a known export"),
        (b'{"object": "page",\n "data": [}', "line 2", "not JSON"),
        (b'{"object": "page",\n "data": [', "line 2", "not JSON"),
        ('{"object": "page"}'.encode("utf-16"), "line 1", "columns of a known export"),
        (b'{"object": "caf\xe9"}', "line 1", "not UTF-8"),
        (b"[" * 100_000, "line 1", "nested too deeply"),
        (b"[]", "line 1", "no page"),
        (b"[1]", "line 1", "shape of a known export"),
        (b"a,b\n1,2\n", "line 1", "columns of a known export"),
    ],
)
def test_a_file_that_is_none_is_refused(content: bytes, where: str, said: str) -> None:
    with pytest.raises(UnreadableExport) as refused:
        read(content)
    assert refused.value.errors[0].field == where
    assert said in refused.value.detail


HEAD = "Date,Model,In,Out,Team"


@pytest.mark.parametrize(
    ("content", "where", "said"),
    [
        (f"{HEAD}\n2025-10-05,m,1,2\n", "line 2", "4 columns"),
        (f"{HEAD}\n2025-10-05,m,1,2,x\n2025-10-05,m,-1,2,x\n", "line 3, In", "negative"),
        (f"{HEAD}\n2025-10-05,m,nan,2,x\n", "line 2, In", "not a number"),
        (f"{HEAD}\n2025-10-05,m,1e400,2,x\n", "line 2, In", "larger than any"),
        (f"{HEAD}\n2025-10-05,m,1e999999999,2,x\n", "line 2, In", "larger than any"),
        (f"{HEAD}\n2025-10-05,m,1e-999999999,2,x\n", "line 2, In", "more than 18 decimals"),
        (f"{HEAD}\n2025-10-05,m,{'9' * 5_000},2,x\n", "line 2, In", "not a number"),
        (f"{HEAD}\n0001-01-01T00:00:00+14:00,m,1,2,x\n", "line 2, Date", "not a day on which"),
        (f"{HEAD}\n2025-10-05,m,1 000,2,x\n", "line 2, In", "not a number"),
        (f"{HEAD}\n05/10/2025,m,1,2,x\n", "line 2, Date", "how it is written in date_format"),
        (f"{HEAD}\n2025-10-05,,1,2,x\n", "line 2, Model", "not a name"),
        (f'{HEAD}\n2025-10-05,"m,1,2,x\n', "line 2", "not CSV"),
        ("Date,Model,In,Team\n", "line 1, Out", "missing"),
        (f"{HEAD},Extra\n", "line 1, Extra", "not understood"),
        (f"{HEAD},In\n", "line 1, In", "occurs twice"),
        (f"{HEAD}\n", "line 1", "covers no day"),
        ("", "line 1", "empty"),
        (HEAD.encode() + b"\n2025-10-05,caf\xe9,1,2,x\n", "line 2", "not UTF-8"),
        (HEAD.encode() + b"\n2025-10-05,m\0,1,2,x\n", "line 2", "zero byte"),
        (HEAD + "\n" + "x" * 100_000, "line 2", "longer than"),
        (HEAD + "\n" + '"\n",' * 20_000, "line 16386", "a row longer than"),
    ],
)
def test_a_line_that_is_not_understood_is_named(
    content: str | bytes, where: str, said: str
) -> None:
    with pytest.raises(UnreadableExport) as refused:
        assert read(content, mapping=WIDE)[1].covered
    assert refused.value.errors[0].field == where
    assert said in refused.value.detail


def test_a_meter_that_the_mapping_has_no_word_for_is_named() -> None:
    content = "at;model;kind;n;cost\n2025-10-05;m;completion;7;0.25\n"
    with pytest.raises(
        UnreadableExport, match="line 2, kind: 'completion' is not one of the meters"
    ):
        read(content, mapping=LONG)


def test_an_export_has_one_currency() -> None:
    two = openai_costs({}, {"amount": {"value": 1, "currency": "eur"}})
    with pytest.raises(UnreadableExport, match=r"results\[1\]\.amount\.currency: EUR after USD"):
        read(two)
    with pytest.raises(UnreadableExport, match="three-letter"):
        read(openai_costs({"amount": {"value": 1, "currency": None}}))


def test_costs_are_exact_decimals() -> None:
    for amount in ("1" * 19, f"0.{'1' * 31}", "1,5"):
        with pytest.raises(UnreadableExport, match=r"results\[0\]\.amount: "):
            read(anthropic_report(ANTHROPIC_COST | {"amount": amount}))


def test_an_amount_below_zero_is_a_credit_and_stands_by_itself() -> None:
    refund = ANTHROPIC_COST | {"amount": "-23.45"}
    assert told(anthropic_report(ANTHROPIC_COST, refund))[1] == {
        (CLAUDE, "input_tokens"): Decimal("1.2345"),
        (CLAUDE, "credits"): Decimal("-0.2345"),
    }
    amount = {"value": -0.5, "currency": "usd"}
    page = openai_costs({}, {"line_item": "promotional credit", "amount": amount})
    assert told(page)[1] == {
        (GPT, "input_tokens"): Decimal("0.06"),
        ("promotional credit", "credits"): Decimal("-0.5"),
    }


def test_an_export_of_days_without_usage_covers_them() -> None:
    chosen, export = read(openai_usage())
    assert (chosen, export.sums, export.covered[0].isoformat()) == (
        "openai-usage-json",
        {},
        "2025-10-05",
    )
    assert read(anthropic_report())[0] == "anthropic-usage-json"
    times = "start_time,end_time,start_time_iso,end_time_iso\n1759622400,1759708800,,\n"
    chosen, export = read(times)
    assert (chosen, export.sums, export.covered[1].isoformat()) == (
        "openai-usage-csv",
        {},
        "2025-10-05",
    )


def test_a_compressed_file_is_read_and_a_damaged_one_refused() -> None:
    content = gzip.compress(json.dumps(openai_usage({})).encode())
    assert len(read(content)[1].sums) == 4
    with pytest.raises(UnreadableExport, match="gzip file is damaged or cut off"):
        read(content[:-9])
