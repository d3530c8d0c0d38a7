"""A mapping of any CSV file: each option of it, on a file as clouds write it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.exports.words import fits, model_in, unit_size
from backend_client.types.reconciliation import CsvMapping, ReconciliationOptions
from tests.metering.reconciliation.exports import read
from tests.support.paths import ROOT

pytestmark = pytest.mark.fast

PLAIN = {"day": "Date", "model": "Model", "quantities": {"input_tokens": "In"}}


def sums(content: str, mapping: dict[str, Any], **options: Any) -> dict[tuple[str, str, str], Any]:
    """Each day, model and meter with its quantity, or its amount where it has one."""
    _, export = read(content, mapping=mapping, **options)
    return {
        (day.isoformat(), model, meter): each.quantity if each.amount is None else each.amount
        for (day, model, meter), each in export.sums.items()
    }


@pytest.mark.parametrize(
    ("written", "date_format", "day"),
    [
        ("11/20/2026", "%m/%d/%Y", "2026-11-20"),
        ("20.11.2026 23:30", "%d.%m.%Y %H:%M", "2026-11-20"),
        ("20-Nov-26", "%d-%b-%y", "2026-11-20"),
        ("20261120T233000+0000", "%Y%m%dT%H%M%S%z", "2026-11-21"),
        ("2026-11-20 23:30:00", None, "2026-11-20"),
        ("2026-11-20 23:30:00 UTC", None, "2026-11-21"),
        ("2026-11-20 23:30:00+00", None, "2026-11-21"),
        ("2026-11-20T23:30:00Z", None, "2026-11-21"),
    ],
)
def test_days_are_read_as_they_are_written_and_bare_times_in_the_zone(
    written: str, date_format: str | None, day: str
) -> None:
    mapping = PLAIN | ({} if date_format is None else {"date_format": date_format})
    rows = sums(f"Date,Model,In\n{written},m,7\n", mapping, time_zone="Europe/Berlin")
    assert rows == {(day, "m", "input_tokens"): 7}


def test_rows_are_chosen_by_where() -> None:
    content = (
        "Date,Model,In,Product,Kind\n"
        "2026-03-01,m,1,AmazonBedrock,Usage\n"
        "2026-03-01,m,2,AmazonBedrockService,Usage\n"
        "2026-03-01,m,4,AmazonS3,Usage\n"
        "2026-03-01,,8,AmazonBedrock,Tax\n"
    )
    where = {"Product": "AmazonBedrock*", "Kind": ["Usage", "DiscountedUsage"]}
    assert sums(content, PLAIN | {"where": where}) == {("2026-03-01", "m", "input_tokens"): 3}


def test_several_columns_are_one_meter() -> None:
    mapping = PLAIN | {"quantities": {"input_tokens": ["In", "Written"], "output_tokens": "Out"}}
    content = "Date,Model,In,Written,Out\n2026-03-01,m,5,3,2\n"
    assert sums(content, mapping) == {
        ("2026-03-01", "m", "input_tokens"): 8,
        ("2026-03-01", "m", "output_tokens"): 2,
    }


def test_model_and_meter_stand_in_one_text_with_a_unit_beside_it() -> None:
    """As Bedrock's cost and usage report has them."""
    content = (
        "day,usage_type,amount,unit,cost,currency\n"
        "2026-03-01,USE1-Claude3Sonnet-input-tokens,5,1K tokens,0.015,USD\n"
        "2026-03-01,USE1-Claude3Sonnet-output-tokens,0.002,1M tokens,0.03,USD\n"
        "2026-03-01,USE1-Claude3Sonnet-cache-read-input-token-count,700,Tokens,0.0002,USD\n"
        "2026-03-01,USE1-Claude3Sonnet-input-tokens,0,1K tokens,-0.005,USD\n"
    )
    mapping = {
        "day": "day",
        "model": "usage_type",
        "model_pattern": ["*-{model}-input-tokens", "*-{model}-output-tokens", "*-{model}-cache-*"],
        "meter": "usage_type",
        "meters": {
            "*-cache-read-*": "cached_input_tokens",
            "*-input-tokens": "input_tokens",
            "*-output-tokens": "output_tokens",
        },
        "quantity": "amount",
        "unit": "unit",
        "amount": "cost",
        "currency": "currency",
    }
    _, export = read(content, mapping=mapping)
    assert {
        (model, meter): (each.quantity, each.amount)
        for (_, model, meter), each in export.sums.items()
    } == {
        ("Claude3Sonnet", "input_tokens"): (5_000, Decimal("0.015")),
        ("Claude3Sonnet", "output_tokens"): (2_000, Decimal("0.03")),
        ("Claude3Sonnet", "cached_input_tokens"): (700, Decimal("0.0002")),
        ("Claude3Sonnet", "credits"): (None, Decimal("-0.005")),
    }


def test_amounts_stand_beside_quantities_and_for_a_meter_alone() -> None:
    beside = PLAIN | {"amount": "Cost", "amount_currency": "USD", "credits": ["Promotion"]}
    content = "Date,Model,In,Cost,Promotion\n2026-03-01,m,5,0.25,-0.05\n2026-03-02,m,1,0.10,\n"
    assert sums(content, beside) == {
        ("2026-03-01", "m", "input_tokens"): 5,
        ("2026-03-01", "m", "*"): Decimal("0.25"),
        ("2026-03-01", "m", "credits"): Decimal("-0.05"),
        ("2026-03-02", "m", "input_tokens"): 1,
        ("2026-03-02", "m", "*"): Decimal("0.10"),
    }
    alone = {"day": "Date", "model": "Model", "meter": "Kind", "amount": "Cost"}
    content = "Date,Model,Kind,Cost\n2026-03-01,m,output_tokens,0.25\n"
    assert sums(content, alone | {"amount_currency": "USD"}) == {
        ("2026-03-01", "m", "output_tokens"): Decimal("0.25")
    }


def test_every_other_column_can_be_ignored_at_once() -> None:
    content = "Date,Model,In,A,B,C\n2026-03-01,m,5,1,2,3\n"
    with pytest.raises(UnreadableExport, match="line 1, A: this column is not understood"):
        sums(content, PLAIN)
    assert sums(content, PLAIN | {"ignore": "*"}) == {("2026-03-01", "m", "input_tokens"): 5}


@pytest.mark.parametrize(
    ("mapping", "row", "where", "said"),
    [
        ({"date_format": "%m/%d/%Y"}, "2026-03-01,m,1,x", "Date", "not written as %m/%d/%Y"),
        ({}, "1.3.2026,m,1,x", "Date", "say how it is written in date_format"),
        ({"model_pattern": ["{model}-v*"]}, "2026-03-01,m,1,x", "Model", "fits no model_pattern"),
        ({"unit": "Unit"}, "2026-03-01,m,1,bags", "Unit", "say in units how many"),
        (
            {"quantities": {}, "meter": "Unit", "quantity": "In", "meters": {"a*": "images"}},
            "2026-03-01,m,1,x",
            "Unit",
            "not one of the meters",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_its_row_and_column(
    mapping: dict[str, Any], row: str, where: str, said: str
) -> None:
    with pytest.raises(UnreadableExport) as refused:
        sums(f"Date,Model,In,Unit\n{row}\n", PLAIN | {"ignore": "*"} | mapping)
    assert refused.value.errors[0].field == f"line 2, {where}"
    assert said in refused.value.detail


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"date_format": "%H:%M"}, "does not name a day"),
        ({"date_format": "day"}, "does not name a day"),
        ({"model_pattern": ["*-input"]}, "should match pattern"),
        ({"where": {"A": "*" * 10}}, "should match pattern"),
        ({"units": {"bag": 3}}, "units need the column unit"),
        ({"credits": ["C"]}, "amounts need either"),
        ({"quantity": "Q"}, "a quantity needs the column of its meter"),
        ({"quantities": {}, "meter": "M"}, "a meter needs a quantity or an amount"),
    ],
)
def test_a_mapping_that_can_not_be_meant_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        CsvMapping.model_validate(PLAIN | changes)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(("1K tokens", 1_000), ("1K", 1_000), ("1M", 1_000_000), ("1,000 tokens", 1_000)),
        *(("10K", 10_000), ("Tokens", 1), ("count", 1), ("", 1), ("100", 100)),
        *(("GB-Month", None), ("Kilo", None), ("0", None), ("1K bags", None)),
    ],
)
def test_units_are_read_as_they_are_written(text: str, size: int | None) -> None:
    assert unit_size(text, {}) == size
    assert unit_size(text, {text: 7}) == 7


texts = st.text("ab-*", max_size=12)


@given(texts, st.lists(st.text("ab-", max_size=3), min_size=1, max_size=4))
def test_a_star_is_any_text(text: str, parts: list[str]) -> None:
    pattern = "*".join(parts)
    expected = re_of(pattern).fullmatch(text) is not None
    assert fits(text, pattern) == expected


@given(texts, st.text("ab-*", max_size=4), st.text("ab-*", max_size=4))
def test_a_model_is_what_stands_in_its_place(text: str, before: str, after: str) -> None:
    match = re_of(f"{before}{{model}}{after}").fullmatch(text)
    assert model_in(text, [f"{before}{{model}}{after}"]) == (match and match["model"])


def test_a_pattern_takes_no_longer_for_a_text_that_nearly_fits() -> None:
    """A regular expression would take years for this one."""
    assert not fits("a" * 60_000, "*a*a*a*a*a*a*a*b")
    assert model_in("a" * 60_000, ["*a*a*a*{model}*a*a*a*b"]) is None


def re_of(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*|\{model\})", pattern)
    written = {"*": ".*?", "{model}": "(?P<model>.+?)"}
    return re.compile("".join(written.get(part, re.escape(part)) for part in parts), re.DOTALL)


def test_the_examples_of_the_docs_are_options() -> None:
    page = (ROOT / "docs" / "reconciliation.md").read_text()
    examples = [
        yaml.load(block, yaml.BaseLoader)  # noqa: S506  it makes nothing but texts
        for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    ]
    options = [example for example in examples if "currency" not in example]
    assert sum("mapping" in example for example in options) == 2
    for example in options:
        ReconciliationOptions.model_validate({"provider": "sample", **example})
