"""The playground's running cost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from backend_client.types.models import MeterPrice, ModelInfo
from portal.features.playground.calls.cost import currency, estimate, quantities

pytestmark = pytest.mark.fast


def model(**prices: str) -> ModelInfo:
    return ModelInfo(
        id="m",
        name="M",
        context_window=2048,
        max_output_tokens=512,
        tokenizer="upstream",
        available=True,
        prices=[
            MeterPrice(meter=meter, price=Decimal(price), unit_size=1_000_000, currency="EUR")
            for meter, price in prices.items()
        ],
    )


def test_each_meter_at_its_price() -> None:
    priced = model(input_tokens="0.50", output_tokens="1.50")
    assert estimate(priced, {"input_tokens": 1000, "output_tokens": 2000}) == Decimal("0.0035")
    assert currency(priced) == "EUR"


def test_an_unpriced_model_has_no_cost_rather_than_zero() -> None:
    assert estimate(model(), {"input_tokens": 5}) is None


def test_openais_usage_becomes_disjoint_meters() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    assert quantities(usage) == {
        "requests": 1,
        "input_tokens": 70,
        "cached_input_tokens": 30,
        "output_tokens": 30,
        "reasoning_tokens": 20,
    }
    plain = quantities({"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": None})
    assert plain["input_tokens"] == 7
    assert plain["cached_input_tokens"] == 0
