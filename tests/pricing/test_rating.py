"""Bills rated by hand, to the cent. Each expected amount shows its arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backend.pricing.charges.rate_card import RateCard
from backend.pricing.periods import billing_period
from backend.pricing.rating.rated_period import MeteredQuantity, Stretch, rate
from backend_client.types.charges import FlatCharge, GraduatedCharge, PerUnitCharge, Tier
from backend_client.types.plans import PlanDefinition
from tests.pricing.strategies import PERIOD, between, whole

pytestmark = pytest.mark.fast


def used(meter: str, quantity: str, model: str = "large") -> MeteredQuantity:
    return MeteredQuantity(model, meter, Decimal(quantity))


def per_unit(name: str, meters: Sequence[str], price: str, **more: object) -> PerUnitCharge:
    return PerUnitCharge(id=name, name=name, meters=list(meters), price=Decimal(price), **more)


def graduated(name: str, meters: Sequence[str], *tiers: tuple[str | None, str], **more: object):
    return GraduatedCharge(
        id=name,
        name=name,
        meters=list(meters),
        tiers=[
            Tier(up_to=None if up_to is None else Decimal(up_to), price=Decimal(price))
            for up_to, price in tiers
        ],
        **more,
    )


def plan(*charges: object, name: str = "plan") -> PlanDefinition:
    return PlanDefinition(id=name, name=name, charges=list(charges))


def amounts(*stretches: Stretch) -> dict[str, str]:
    bill = rate(stretches, PERIOD, "USD")
    return {line.charge.id: str(line.amount) for line in bill.lines} | {"total": str(bill.total)}


def test_per_unit_by_the_million() -> None:
    tokens = plan(
        per_unit("in", ["input_tokens"], "0.15"), per_unit("out", ["output_tokens"], "0.6")
    )
    assert amounts(
        whole(tokens, [used("input_tokens", "1234567"), used("output_tokens", "345678")])
    ) == {
        "in": "0.19",  # 1.234567 * 0.15 = 0.18518505
        "out": "0.21",  # 0.345678 * 0.60 = 0.2074068
        "total": "0.40",
    }


def test_the_total_adds_rounded_lines_and_rounding_is_half_up() -> None:
    cheap = plan(
        per_unit("a", ["requests"], "0.005", unit_size=1),
        per_unit("b", ["images"], "0.005", unit_size=1),
    )
    bill = rate([whole(cheap, [used("requests", "1"), used("images", "1")])], PERIOD, "USD")
    assert [str(line.amount) for line in bill.lines] == ["0.01", "0.01"]
    assert (str(bill.total), str(bill.exact_total)) == ("0.02", "0.010")


def test_graduated_after_included_units() -> None:
    tiers = plan(
        graduated(
            "out",
            ["output_tokens"],
            ("1000000", "10"),
            ("5000000", "8"),
            (None, "5"),
            included=Decimal(100_000),
        )
    )
    bill = rate([whole(tiers, [used("output_tokens", "7100001")])], PERIOD, "USD")
    (line,) = bill.lines
    assert [(str(tier.quantity), str(tier.amount)) for tier in line.tiers] == [
        ("1000000", "10"),
        ("4000000", "32"),
        ("2000001", "10.000005"),
    ]
    assert (line.included, line.billable) == (100_000, 7_000_001)
    assert str(line.amount) == "52.00"  # 10 + 32 + 10.000005


@pytest.mark.parametrize(
    ("units", "amount"),
    [("999999", "10.00"), ("1000000", "10.00"), ("1000001", "10.00"), ("1500000", "14.00")],
)
def test_a_tiers_bound_is_its_last_unit(units: str, amount: str) -> None:
    tiers = plan(graduated("out", ["output_tokens"], ("1000000", "10"), (None, "8")))
    assert amounts(whole(tiers, [used("output_tokens", units)]))["out"] == amount


def test_one_charge_over_several_meters_and_models_adds_them_up_first() -> None:
    pooled = plan(
        per_unit(
            "all", ["input_tokens", "output_tokens"], "1", unit_size=1000, included=Decimal(500)
        )
    )
    usage = [
        used("input_tokens", "400", "large"),
        used("output_tokens", "400", "large"),
        used("output_tokens", "700", "small"),
    ]
    assert amounts(whole(pooled, usage)) == {"all": "1.00", "total": "1.00"}


def test_a_charge_that_names_the_model_goes_first() -> None:
    card = RateCard(
        plan(
            per_unit("any", ["input_tokens"], "1"),
            per_unit("large", ["input_tokens"], "2", models=["large"]),
            per_unit("cached", ["cached_input_tokens"], "0.1"),
        )
    )
    chosen = {
        (model, meter): getattr(card.charge_for(model, meter), "id", None)
        for model in ("large", "small")
        for meter in ("input_tokens", "cached_input_tokens", "output_tokens")
    }
    assert chosen == {
        ("large", "input_tokens"): "large",
        ("small", "input_tokens"): "any",
        ("large", "cached_input_tokens"): "cached",  # its own price, though not by model
        ("small", "cached_input_tokens"): "cached",
        ("large", "output_tokens"): None,
        ("small", "output_tokens"): None,
    }


def test_cached_and_reasoning_tokens_cost_as_input_and_output_if_not_priced_themselves() -> None:
    simple = plan(per_unit("in", ["input_tokens"], "1"), per_unit("out", ["output_tokens"], "4"))
    usage = [
        used("input_tokens", "600000"),
        used("cached_input_tokens", "400000"),
        used("output_tokens", "250000"),
        used("reasoning_tokens", "750000"),
    ]
    assert amounts(whole(simple, usage)) == {"in": "1.00", "out": "4.00", "total": "5.00"}


def test_what_no_charge_prices_is_reported_and_not_billed() -> None:
    bill = rate(
        [whole(plan(), [used("images", "2"), used("images", "3"), used("requests", "0")])],
        PERIOD,
        "USD",
    )
    assert bill.unpriced == (used("images", "5"),)
    assert (bill.lines, str(bill.total)) == ((), "0.00")


def test_usage_with_no_plan_is_reported() -> None:
    assert rate([whole(None, [used("images", "2")])], PERIOD, "USD").unpriced == (
        used("images", "2"),
    )


def test_a_fee_is_prorated_by_the_second() -> None:
    fee = plan(FlatCharge(id="fee", name="Fee", price=Decimal(20)))
    # From March 10th 06:15: 21 days 17 hours 45 minutes of 31 days = 1,878,300 of 2,678,400 s
    assert amounts(between(fee, 9 * 96 + 25, 31 * 96, [])) == {"fee": "14.03", "total": "14.03"}


def test_a_short_day_makes_a_short_month() -> None:
    """Half of a month that lost an hour to summer time is half of its seconds."""
    march = billing_period(datetime(2026, 3, 10, tzinfo=UTC), "Europe/Berlin")
    assert (march.end - march.start).total_seconds() == 31 * 86_400 - 3_600
    fee = plan(FlatCharge(id="fee", name="Fee", price=Decimal("743")))
    middle = datetime(2026, 3, 15, 23, tzinfo=UTC)  # 15 days of 24 hours; 383 of 743 hours remain
    bill = rate([Stretch(fee, 1, middle, march.end)], march, "USD")
    assert str(bill.total) == "383.00"


class TestChangeOfPlan:
    """Each stretch is priced by its own plan."""

    free = plan(per_unit("tokens", ["output_tokens"], "0"), name="free")
    paid = plan(
        FlatCharge(id="fee", name="Fee", price=Decimal(31)),
        graduated(
            "tokens", ["output_tokens"], ("1000000", "10"), (None, "5"), included=Decimal(100_000)
        ),
        name="paid",
    )

    def test_the_new_plan_starts_its_own_count(self) -> None:
        bill = rate(
            [
                between(self.free, 0, 10 * 96, [used("output_tokens", "900000")]),
                between(self.paid, 10 * 96, 31 * 96, [used("output_tokens", "600000")]),
            ],
            PERIOD,
            "USD",
        )
        assert [(line.plan, line.charge.id, str(line.amount)) for line in bill.lines] == [
            ("free", "tokens", "0.00"),
            ("paid", "fee", "21.00"),  # 21 of 31 days
            ("paid", "tokens", "5.32"),  # 10 for a million of 600,000 less 21/31 of 100,000
        ]

    def test_going_away_and_back_gives_no_second_allowance(self) -> None:
        bill = rate(
            [
                between(self.paid, 0, 96, [used("output_tokens", "600000")]),
                between(self.free, 96, 192, [used("output_tokens", "5")]),
                between(self.paid, 192, 31 * 96, [used("output_tokens", "600000")]),
            ],
            PERIOD,
            "USD",
        )
        by_line = {(line.plan, line.charge.id): line for line in bill.lines}
        assert str(by_line["paid", "fee"].amount) == "30.00"
        tokens = by_line["paid", "tokens"]
        # 30/31 of 100,000 are free; then 10 + 0.103226 * 5
        assert (tokens.included, str(tokens.amount)) == (96_774, "10.52")

    def test_a_new_version_goes_on_in_the_tier_that_was_reached(self) -> None:
        dearer = plan(
            graduated(
                "tokens",
                ["output_tokens"],
                ("1000000", "20"),
                (None, "6"),
                included=Decimal(100_000),
            ),
            name="paid",
        )
        bill = rate(
            [
                between(self.paid, 0, 96, [used("output_tokens", "600000")]),
                between(dearer, 96, 31 * 96, [used("output_tokens", "700000")], version=2),
            ],
            PERIOD,
            "USD",
        )
        first, second = (line for line in bill.lines if line.charge.id == "tokens")
        assert str(first.amount) == "5.00"  # 0.5 * 10
        assert second.included == 0
        assert str(second.amount) == "11.20"  # 0.5 * 20 + 0.2 * 6


def test_currencies_are_never_mixed() -> None:
    with pytest.raises(ValueError, match="not priced in EUR"):
        rate([whole(plan(), [])], PERIOD, "EUR")


def test_a_negative_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        rate([whole(plan(), [used("images", "-1")])], PERIOD, "USD")


def test_no_digit_is_lost_in_large_bills() -> None:
    huge = plan(per_unit("in", ["input_tokens"], "0.000000000001", unit_size=1))
    bill = rate(
        [whole(huge, [used("input_tokens", "123456789012345678901.123456789")])], PERIOD, "USD"
    )
    assert bill.exact_total == Decimal("123456789.012345678901123456789")
