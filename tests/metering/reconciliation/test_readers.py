"""Files as people download them: Anthropic's Console, OpenRouter, and FOCUS from three clouds."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.exports.focus import Sku, sku_of
from tests.metering.reconciliation.exports import read

pytestmark = pytest.mark.fast

SAMPLES = Path(__file__).with_name("samples")
CLAUDE = "claude-sonnet-4-5-20250929"
SONNET = "Claude Sonnet 4.5"
ROUTED = "anthropic/claude-sonnet-4.5"


def sample(name: str) -> str:
    return (SAMPLES / name).read_text()


def figures(content: str, **options: Any) -> tuple[str, dict[tuple[int, str, str], Any]]:
    """The format, and each day of the month, model and meter with its quantity, amount, tiers."""
    chosen, export = read(content, **options)
    return chosen, {
        (day.day, model, meter): (sums.quantity, sums.amount, sums.tiers)
        for (day, model, meter), sums in export.sums.items()
    }


def exactly(quantity: int | None, amount: str | None = None, **tiers: str) -> tuple[Any, ...]:
    return (
        None if quantity is None else Decimal(quantity),
        None if amount is None else Decimal(amount),
        {tier: Decimal(part) for tier, part in tiers.items()},
    )


def test_the_consoles_usage_has_a_column_for_each_type_of_token() -> None:
    assert figures(sample("anthropic_console_usage.csv")) == (
        "anthropic-usage-csv",
        {
            (20, CLAUDE, "input_tokens"): exactly(150_000),
            (20, CLAUDE, "cache_write_tokens"): exactly(200_000),
            (20, CLAUDE, "cache_write_1h_tokens"): exactly(40_000),
            (20, CLAUDE, "cached_input_tokens"): exactly(1_000_000),
            (20, CLAUDE, "output_tokens"): exactly(15_000),
            (20, CLAUDE, "web_search_requests"): exactly(3),
            (21, CLAUDE, "input_tokens"): exactly(300_000),
            (21, CLAUDE, "output_tokens"): exactly(2_000),
        },
    )


def test_the_consoles_costs_keep_the_tier_of_a_batch_and_of_a_long_context() -> None:
    assert figures(sample("anthropic_console_cost.csv")) == (
        "anthropic-cost-csv",
        {
            (20, SONNET, "input_tokens"): exactly(None, "0.375", batch="0.075"),
            (20, SONNET, "cache_write_tokens"): exactly(None, "0.75"),
            (20, SONNET, "cache_write_1h_tokens"): exactly(None, "0.24"),
            (20, SONNET, "cached_input_tokens"): exactly(None, "0.30"),
            (20, SONNET, "output_tokens"): exactly(None, "0.1875", batch="0.0375"),
            (20, "*", "web_search_requests"): exactly(None, "0.03"),
            (21, SONNET, "input_tokens"): exactly(None, "1.80", long_context="1.80"),
            (21, SONNET, "output_tokens"): exactly(None, "0.045", long_context="0.045"),
        },
    )


def test_openrouters_activity_has_whole_prompts_and_one_cost() -> None:
    assert figures(sample("openrouter_activity.csv")) == (
        "openrouter-activity-csv",
        {
            (20, ROUTED, "requests"): exactly(100),
            (20, ROUTED, "prompt_tokens"): exactly(1_300_000),
            (20, ROUTED, "output_tokens"): exactly(10_000),
            (20, ROUTED, "*"): exactly(None, "1.5"),
            (21, ROUTED, "requests"): exactly(50),
            (21, ROUTED, "prompt_tokens"): exactly(650_000),
            (21, ROUTED, "output_tokens"): exactly(5_000),
            (21, ROUTED, "*"): exactly(None, "0.75"),
        },
    )


def test_openrouters_logs_have_a_row_for_each_generation() -> None:
    assert figures(sample("openrouter_logs.csv")) == (
        "openrouter-logs-csv",
        {
            (20, ROUTED, "requests"): exactly(2),
            (20, ROUTED, "input_tokens"): exactly(1_889),
            (20, ROUTED, "cached_input_tokens"): exactly(9_000),
            (20, ROUTED, "output_tokens"): exactly(237),
            (20, ROUTED, "*"): exactly(None, "0.0143"),
        },
    )


def test_openrouters_api_answers_the_same_as_its_page() -> None:
    item = {
        "date": "2026-03-20",
        "model": ROUTED,
        "model_permaslug": f"{ROUTED}-20250929",
        "endpoint_id": "550e8400-e29b-41d4-a716-446655440000",
        "provider_name": "Anthropic",
        "usage": 1.5,
        "byok_usage_inference": 0,
        "requests": 100,
        "prompt_tokens": 1_300_000,
        "completion_tokens": 10_000,
        "reasoning_tokens": 2_000,
    }
    chosen, export = read({"data": [item]})
    page = read(sample("openrouter_activity.csv"))[1]
    assert chosen == "openrouter-activity-json"
    assert export.sums == {key: sums for key, sums in page.sums.items() if key[0].day == 20}


def test_focus_of_aws_names_model_and_meter_in_the_usage_type() -> None:
    """Rows of other services are not read; a month's credit counts where the month begins."""
    model = "Claude4.5Sonnet"
    assert figures(sample("focus_1_2_aws.csv")) == (
        "focus-csv",
        {
            (20, model, "input_tokens"): exactly(100_000, "0.30"),
            (20, model, "cached_input_tokens"): exactly(1_000_000, "0.30"),
            (20, model, "cache_write_tokens"): exactly(200_000, "0.75"),
            (20, model, "output_tokens"): exactly(10_000, "0.075", batch="0.075"),
            (1, "*", "credits"): exactly(None, "-0.10"),
        },
    )


def test_focus_of_azure_names_them_in_the_meters_name() -> None:
    model = "gpt 4o 1120"
    assert figures(sample("focus_1_0_azure.csv"))[1] == {
        (20, model, "input_tokens"): exactly(100_000, "0.25"),
        (20, model, "cached_input_tokens"): exactly(100_000, "0.125"),
        (20, model, "output_tokens"): exactly(10_000, "0.10"),
    }


def test_focus_of_google_names_them_in_the_description() -> None:
    chosen, export = read(sample("focus_1_1_google.csv"))
    assert (chosen, export.currency) == ("focus-csv", "EUR")
    assert figures(sample("focus_1_1_google.csv"))[1] == {
        (20, "Gemini 2.5 Flash", "input_tokens"): exactly(100_000, "0.03"),
        (20, "*", "credits"): exactly(None, "-0.03"),
        (1, "*", "tax"): exactly(None, "0.01"),
    }


def test_focus_can_be_told_how_a_file_names_models_and_meters() -> None:
    row = "0.30,USD,Usage,2026-03-20T00:00:00Z,2026-03-21T00:00:00Z,100000,tokens,fast:words-in"
    head = (
        "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,"
        "ConsumedQuantity,ConsumedUnit,SkuId"
    )
    focus = {
        "where": {},
        "text": "SkuId",
        "model_pattern": ["{model}:*"],
        "meters": {"*-in": "input_tokens"},
    }
    assert figures(f"{head}\n{row}\n", focus=focus)[1] == {
        (20, "fast", "input_tokens"): exactly(100_000, "0.30")
    }
    with pytest.raises(UnreadableExport, match="line 2, SkuId: 'fast:words-in' fits no model_patt"):
        read(f"{head}\n{row}\n", focus=focus | {"model_pattern": ["{model}/*"]})
    with pytest.raises(UnreadableExport, match="line 2, ConsumedUnit: 'bags' is not a unit"):
        read(f"{head}\n{row.replace('tokens', 'bags')}\n", focus=focus)


@pytest.mark.parametrize(
    ("text", "sku"),
    [
        ("USE1-Claude4.6Sonnet-input-tokens", Sku("Claude4.6Sonnet", "input_tokens")),
        ("USE1-Nova2.0Lite-input-tokens-flex", Sku("Nova2.0Lite", "input_tokens", "flex")),
        (
            "USE1-openai.gpt-oss-120b-mantle-input-tokens-standard",
            Sku("openai.gpt oss 120b", "input_tokens"),
        ),
        ("5.4 opt Dz 1M Tokens", Sku("5.4", "output_tokens")),
        ("GPT 5 cchd Inpt Glbl 1M Tokens", Sku("GPT 5", "cached_input_tokens")),
        ("Provisioned throughput, 1 hour", Sku("Provisioned throughput, 1 hour", None)),
    ],
)
def test_an_skus_text_says_model_meter_and_tier(text: str, sku: Sku) -> None:
    assert sku_of(text) == sku


@pytest.mark.parametrize(
    ("name", "old", "new", "where"),
    [
        ("anthropic_console_usage.csv", "40000", "-1", "usage_input_tokens_cache_write_1h"),
        ("anthropic_console_usage.csv", "2026-03-20", "20.3.2026", "usage_date_utc"),
        ("anthropic_console_cost.csv", "input_no_cache", "input_dreamt", "token_type"),
        ("openrouter_activity.csv", "1300000", "many", "Prompt Tokens"),
        ("openrouter_logs.csv", "9000", "99999", "tokens_cached"),
        ("focus_1_2_aws.csv", "0.30,USD", "free,USD", "BilledCost"),
        ("focus_1_2_aws.csv", "2026-03-21T00:00:00Z,100,", "2026-03-22T01:00:00Z,100,", "Start"),
    ],
)
def test_what_is_not_understood_is_named_with_its_row_and_column(
    name: str, old: str, new: str, where: str
) -> None:
    with pytest.raises(UnreadableExport) as refused:
        read(sample(name).replace(old, new, 1))
    assert refused.value.errors[0].field.startswith("line 2, ")
    assert refused.value.errors[0].field.endswith(where)
