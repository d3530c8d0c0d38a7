"""Anthropic's cost report at list prices: nothing differs, whichever way the usage was metered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from backend.metering.reconciliation.exports.parsing import ALL, Export, Sums
from backend.metering.reconciliation.list_prices import list_price
from backend.metering.reconciliation.matching.evidence import Evidence
from backend.metering.reconciliation.matching.matching import Matching, match
from backend.metering.reconciliation.meters import Place
from backend.metering.reconciliation.names import ModelNames
from backend.metering.reconciliation.rates import CostRates, Rates
from backend_client.types.reconciliation import DiscrepancyCause as Cause
from backend_client.types.reconciliation import DiscrepancyKind, Tolerance
from tests.metering.reconciliation.exports import ANTHROPIC_COST, anthropic_report, read
from tests.metering.reconciliation.test_readers import sample

pytestmark = pytest.mark.fast

DAY = date(2025, 10, 5)
MODEL = "claude-sonnet-4-5"
OWN_NAME = "claude-sonnet-4-5-20250929"
WRITE = "cache_creation.ephemeral_{}_input_tokens"
# At list prices for a million tokens: input 3 USD, written for five minutes 3.75, for an hour 6,
# read 0.30, output 15; twice the input and half as much again of the output beyond 200,000 tokens;
# half of everything in a batch. Amounts are in cents.
LINES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("uncached_input_tokens", "30", {}),  # 100,000
    (WRITE.format("5m"), "75", {}),  # 200,000
    (WRITE.format("1h"), "24", {}),  # 40,000
    ("cache_read_input_tokens", "30", {}),  # 1,000,000
    ("output_tokens", "15", {}),  # 10,000
    ("uncached_input_tokens", "180", {"context_window": "200k-1M"}),  # 300,000
    ("cache_read_input_tokens", "18", {"context_window": "200k-1M"}),  # 300,000
    ("output_tokens", "4.5", {"context_window": "200k-1M"}),  # 2,000
    ("uncached_input_tokens", "7.5", {"service_tier": "batch"}),  # 50,000
    (WRITE.format("5m"), "3.75", {"service_tier": "batch"}),  # 20,000
    ("output_tokens", "3.75", {"service_tier": "batch"}),  # 5,000
)
WEB_SEARCH = {
    **dict.fromkeys(("model", "token_type", "service_tier", "context_window")),
    "amount": "3.0",
    "cost_type": "web_search",
    "description": "Web Search Usage",
}
APART = {
    "input_tokens": 450_000,
    "cache_write_tokens": 220_000,
    "cache_write_1h_tokens": 40_000,
    "cached_input_tokens": 1_300_000,
    "output_tokens": 17_000,
    "web_search_requests": 3,
}
"""What was metered, with a meter for each type of token; three searches cost three cents."""


def report(*lines: tuple[str, str, dict[str, Any]]) -> Export:
    results = [
        ANTHROPIC_COST | {"token_type": token_type, "amount": amount, **changes}
        for token_type, amount, changes in lines
    ]
    return read(anthropic_report(*results, ANTHROPIC_COST | WEB_SEARCH))[1]


def compared(export: Export, metered: Mapping[str, int], own: CostRates | None = None) -> Matching:
    """The report held against the metered usage of one model, on the days of the report."""
    names = ModelNames({}, (), {MODEL})
    provided: dict[Place, Sums] = {
        (day, model if model == ALL else names.model_of(model), meter): sums
        for (day, model, meter), sums in export.sums.items()
    }
    rates = Rates(own)

    def rate(day: date, model: str, meter: str, tier: str = "") -> Decimal | None:
        own_names = names.own_names(model)
        return rates.unit_cost(
            day, model, meter, provider="anthropic", own_names=own_names, tier=tier
        )

    evidence = Evidence(
        zone=ZoneInfo("UTC"),
        tolerance=Tolerance(relative=Decimal(0), amount=Decimal("0.000001")),
        rates=rate,
        tier_rates=rate,
    )
    quantities = {(DAY, MODEL, meter): Decimal(count) for meter, count in metered.items()}
    return match(provided, quantities, evidence)


def test_every_type_of_token_and_tier_costs_what_the_list_says() -> None:
    matching = compared(report(*LINES), APART)
    assert matching.discrepancies == ()
    assert matching.billed == matching.expected == Decimal("3.945")
    assert matching.matched == 6


def test_written_cache_that_is_metered_as_input_differs_by_nothing() -> None:
    together = {
        "input_tokens": 450_000 + 220_000 + 40_000,
        "cached_input_tokens": 1_300_000,
        "output_tokens": 17_000,
        "web_search_requests": 3,
    }
    matching = compared(report(*LINES), together)
    assert matching.discrepancies == ()
    assert matching.billed == matching.expected == Decimal("3.945")


def test_web_searches_that_nobody_metered_are_all_that_differs() -> None:
    metered = {meter: count for meter, count in APART.items() if meter != "web_search_requests"}
    [difference] = compared(report(*LINES), metered).discrepancies
    assert difference.place == (DAY, ALL, "web_search_requests")
    assert (difference.kind, difference.provider, difference.metered, difference.cause) == (
        DiscrepancyKind.AMOUNT,
        Decimal("0.03"),
        0,
        Cause.MISSING_EVENTS,
    )


@pytest.mark.parametrize("written", [{}, {"cache_write_tokens": 220_000}])
def test_tokens_that_nobody_metered_are_found_in_the_money(written: dict[str, int]) -> None:
    """A tenth of the input is missing: of what is billed as it, a tenth is not expected."""
    metered = APART | {"input_tokens": 405_000}
    [difference] = compared(report(*LINES), metered | written).discrepancies
    assert difference.place[2] == "input_tokens"
    assert difference.provider == Decimal("2.175")
    assert difference.metered == Decimal("2.175") * 405_000 / 450_000


def test_the_consoles_file_of_costs_says_the_same() -> None:
    content = sample("anthropic_console_cost.csv").replace("2026-03-20", DAY.isoformat())
    export = read("\n".join(line for line in content.splitlines() if "2026" not in line) + "\n")[1]
    metered = {
        "input_tokens": 150_000,
        "cache_write_tokens": 200_000,
        "cache_write_1h_tokens": 40_000,
        "cached_input_tokens": 1_000_000,
        "output_tokens": 15_000,
        "web_search_requests": 3,
    }
    matching = compared(export, metered)
    assert matching.discrepancies == ()
    assert matching.billed == matching.expected == Decimal("1.8825")


def test_a_tier_without_a_price_is_said_to_have_none() -> None:
    fast = [("output_tokens", "90", {"speed": "fast"})]
    [difference] = compared(report(*fast), {"output_tokens": 10_000, **SEARCHES}).discrepancies
    assert (difference.metered, difference.cause) == (None, Cause.NO_RATE)
    rate = {"model": MODEL, "meter": "output_tokens", "tier": "fast", "price": "90"}
    own = CostRates.model_validate({"currency": "USD", "rates": [rate]})
    matching = compared(report(*fast), {"output_tokens": 10_000, **SEARCHES}, own)
    assert matching.discrepancies == ()


SEARCHES = {"web_search_requests": 3}


def test_an_upstreams_own_rate_goes_before_one_of_all() -> None:
    rates = [
        {"model": "m", "meter": "input_tokens", "price": "2"},
        {"model": "m", "meter": "input_tokens", "price": "3", "upstream": "azure"},
        {"model": "m", "meter": "input_tokens", "price": "4", "from": "2025-11-01"},
    ]
    own = Rates(CostRates.model_validate({"currency": "USD", "rates": rates}))

    def cost(provider: str, day: date = DAY) -> Decimal | None:
        return own.unit_cost(day, "m", "input_tokens", provider=provider)

    assert (cost("azure"), cost("openai")) == (Decimal("0.000003"), Decimal("0.000002"))
    later = date(2025, 11, 2)
    assert (cost("azure", later), cost("openai", later)) == (
        Decimal("0.000003"),
        Decimal("0.000004"),
    )


@pytest.mark.parametrize(
    ("meter", "tier", "for_a_million"),
    [
        ("input_tokens", "", "3"),
        ("input_tokens", "us", "3.3"),
        ("cache_write_tokens", "", "3.75"),
        ("cache_write_1h_tokens", "", "6"),
        ("cache_write_1h_tokens", "batch+long_context", "6"),
        ("cached_input_tokens", "long_context", "0.6"),
        ("output_tokens", "batch", "7.5"),
        ("output_tokens", "long_context", "22.5"),
        ("web_search_requests", "", "10000"),
        ("output_tokens", "fast", None),
        ("images", "", None),
    ],
)
def test_list_prices(meter: str, tier: str, for_a_million: str | None) -> None:
    price = list_price("anthropic", OWN_NAME, meter, DAY, tier)
    assert price == (None if for_a_million is None else Decimal(for_a_million) / 1_000_000)


def test_a_model_without_a_price_of_searches_has_none() -> None:
    assert list_price("openai", "text-embedding-3-small", "web_search_requests", DAY) is None


@pytest.mark.parametrize(
    "name",
    [MODEL, OWN_NAME, "Claude Sonnet 4.5", "anthropic/claude-sonnet-4.5", f"us/{OWN_NAME}"],
)
def test_a_model_is_known_by_how_its_name_is_spelled(name: str) -> None:
    names = ModelNames({}, (), {MODEL})
    assert names.model_of(name) == MODEL
    assert names.model_of("sample-model-1") == "sample-model-1"
    assert list_price("anthropic", MODEL, "input_tokens", DAY) in {
        list_price("anthropic", own, "input_tokens", DAY) for own in names.own_names(MODEL)
    }
