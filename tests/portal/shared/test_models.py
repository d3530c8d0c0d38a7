"""A model in words: each kind of price with its tiers, what was measured, and what was not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from backend_client.types.charges import (
    GraduatedCharge,
    PackageCharge,
    PercentageCharge,
    PerUnitCharge,
    Tier,
    TimeWindow,
    UsageCharge,
    VolumeCharge,
)
from backend_client.types.models import Latency, ModelCharge, ModelInfo, ModelPerformance
from portal.shared.models.prices import PriceLine, amount_and_unit, first_price, price_rows
from portal.shared.models.rows import NOT_MEASURED, model_row, tokenizer_name

pytestmark = pytest.mark.fast

TIERS = [
    Tier(up_to=Decimal(10_000_000), price=Decimal("0.50")),
    Tier(up_to=Decimal(50_000_000), price=Decimal("0.40")),
    Tier(up_to=None, price=Decimal("0.30"), flat_fee=Decimal(5)),
]


def model(*charges: UsageCharge, currency: str = "USD", **more: object) -> ModelInfo:
    return ModelInfo(
        id="small/v2",
        name="Small",
        context_window=128_000,
        max_output_tokens=4_096,
        tokenizer="tiktoken:o200k_base",
        available=True,
        charges=[ModelCharge(meter=charge.meters[0], charge=charge) for charge in charges],
        currency=currency,
    ).model_copy(update=more)


def per_unit(price: str, **more: object) -> PerUnitCharge:
    return PerUnitCharge.model_validate(
        {"id": "in", "name": "In", "meters": ["input_tokens"], "price": price, **more}
    )


def test_a_price_is_in_the_plans_currency_with_what_is_included() -> None:
    (row,) = price_rows(model(per_unit("0.15", included="1000000"), currency="EUR"))
    assert row.meter == "Input tokens"
    assert row.lines == [PriceLine("", "€0.15 per 1M")]
    assert row.note == "1M included each month."


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        (GraduatedCharge, "Each price is for the month’s units in its range."),
        (VolumeCharge, "The month’s volume sets the price of all of it."),
    ],
)
def test_each_tier_has_its_price_and_fee(
    kind: type[GraduatedCharge | VolumeCharge], note: str
) -> None:
    charge = kind(id="in", name="In", meters=["input_tokens"], tiers=TIERS)
    (row,) = price_rows(model(charge))
    assert row.lines == [
        PriceLine("to 10M", "$0.50 per 1M"),
        PriceLine("10M to 50M", "$0.40 per 1M"),
        PriceLine("above 50M", "$0.30 per 1M + $5.00"),
    ]
    assert row.note == note
    assert first_price(model(charge), "input_tokens") == "up to $0.50 per 1M"


def test_meters_of_one_charge_are_a_row_together() -> None:
    charge = per_unit("10", meters=["output_tokens", "reasoning_tokens"])
    priced = model(charges=[ModelCharge(meter=meter, charge=charge) for meter in charge.meters])
    assert [row.meter for row in price_rows(priced)] == ["Output tokens + reasoning tokens"]


def test_packages_and_percentages_have_prices_too() -> None:
    package = PackageCharge(
        id="img", name="Images", meters=["images"], package_size=100, price=Decimal(2)
    )
    share = PercentageCharge(id="cost", name="Cost", meters=["cost"], percent=Decimal("2.5"))
    rows = price_rows(model(package, share))
    assert [row.lines[0].price for row in rows] == ["$2.00 per package of 100", "2.5%"]


def test_a_price_for_a_time_of_day_comes_before_the_one_for_any() -> None:
    night = TimeWindow(id="night", name="Night", time_zone="UTC", start="22:00", end="06:00")
    cheap, day = per_unit("0.10", id="night-in", window="night"), per_unit("0.20")
    priced = model(
        charges=[
            ModelCharge(meter="input_tokens", charge=cheap, window=night),
            ModelCharge(meter="input_tokens", charge=day),
        ]
    )
    (row,) = price_rows(priced)
    assert row.lines == [
        PriceLine("22:00–06:00 UTC", "$0.10 per 1M"),
        PriceLine("", "$0.20 per 1M"),
    ]
    assert first_price(priced, "input_tokens") == "$0.20 per 1M"


def test_what_costs_nothing_is_free_and_what_has_no_price_is_not() -> None:
    assert first_price(model(per_unit("0")), "input_tokens") == "Free"
    assert first_price(model(), "input_tokens") == "–"
    assert price_rows(model()) == []


def test_a_price_breaks_between_what_it_is_and_what_it_buys() -> None:
    row = model_row(model(per_unit("0.15")), None)
    assert (row.input_amount, row.input_unit) == ("$0.15", "per 1M")
    assert (row.output_amount, row.output_unit) == ("–", "")
    assert amount_and_unit("$5.00 each") == ("$5.00 each", "")
    assert amount_and_unit("from $3.00 per package of 1K") == ("from $3.00", "per package of 1K")


def test_what_was_not_measured_is_said_so() -> None:
    row = model_row(model(), None)
    assert (row.first_token, row.total, row.errors) == (NOT_MEASURED,) * 3
    measured = ModelPerformance(
        model="small/v2", error_rate=0.002, total=Latency(p50=12.4, p95=30.1), first_token=None
    )
    row = model_row(model(), measured)
    assert (row.first_token, row.total, row.errors) == (NOT_MEASURED, "12 s", "0.2%")


def test_links_hold_any_id_and_only_what_answers_is_usable() -> None:
    row = model_row(model(allowed=False), None)
    assert (row.page, row.usable, row.status) == (
        "/model/?model=small%2Fv2",
        False,
        "Not on your plan",
    )
    assert tokenizer_name("upstream") == "The provider’s own"
    assert tokenizer_name("tiktoken:o200k_base") == "o200k_base (tiktoken)"
