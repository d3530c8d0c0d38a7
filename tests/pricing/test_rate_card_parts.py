"""Meters of a part are priced by the whole's charge, unless the plan has one of their own."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backend.pricing.charges.rate_card import FALLBACK_METERS, RateCard, parts_of, priced_by
from backend.pricing.credit.call_cost import CallValues
from backend_client.types.plans import PlanDefinition

pytestmark = pytest.mark.fast

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def plan(**prices: str) -> PlanDefinition:
    charges = [
        {
            "id": meter.replace("_", "-"),
            "name": meter,
            "kind": "per_unit",
            "meters": [meter],
            "unit_size": 1,
            "price": price,
        }
        for meter, price in prices.items()
    ]
    return PlanDefinition.model_validate({"id": "p", "name": "P", "charges": charges})


def test_each_part_ends_at_the_prompt_or_the_answer() -> None:
    for meter in FALLBACK_METERS:
        *_, whole = priced_by(meter)
        assert whole in ("input_tokens", "output_tokens")
        assert meter in parts_of(whole)
    assert list(priced_by("cache_write_1h_tokens")) == [
        "cache_write_1h_tokens",
        "cache_write_tokens",
        "input_tokens",
    ]
    assert parts_of("cache_write_tokens") == ["cache_write_1h_tokens"]


@pytest.mark.parametrize(
    ("prices", "price"),
    [
        ({"input_tokens": "1"}, 1),
        ({"input_tokens": "1", "cache_write_tokens": "3"}, 3),
        (
            {"input_tokens": "1", "cache_write_tokens": "3", "cache_write_1h_tokens": "5"},
            5,
        ),
    ],
)
def test_the_nearest_charge_prices_a_part(prices: dict[str, str], price: int) -> None:
    card = RateCard(plan(**prices))
    charge = card.charge_for("m", "cache_write_1h_tokens")
    assert charge is not None
    assert charge == card.charges_for("m", "cache_write_1h_tokens")[0]
    values = CallValues(plan(**prices))
    assert values.cost("m", {"cache_write_1h_tokens": Decimal(2)}, NOON) == 2 * price


def test_the_most_of_a_call_counts_sound_only_where_there_may_be_some() -> None:
    values = CallValues(
        plan(input_tokens="1", cache_write_tokens="2", audio_input_tokens="40", output_tokens="3")
    )
    text = {"input_tokens": Decimal(10), "output_tokens": Decimal(1)}
    sound = {"audio_input_tokens": Decimal(10), "output_tokens": Decimal(1)}
    assert values.greatest("m", text, NOON) == 20 + 3
    assert values.greatest("m", sound, NOON) == 400 + 3
