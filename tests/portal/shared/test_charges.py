"""Lines and adjustments of a spend report as the spend page shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backend_client.types.common import Money
from backend_client.types.spend import SpendAdjustment, SpendLine, TierSpend
from portal.shared.charges.rows import adjustment_row, line_row

pytestmark = pytest.mark.fast


def line(**changed: object) -> SpendLine:
    usual = {
        "charge_id": "tokens",
        "name": "Tokens",
        "kind": "per_unit",
        "plan": "pro",
        "plan_version": 2,
        "start": datetime(2026, 11, 1, tzinfo=UTC),
        "end": datetime(2026, 12, 1, tzinfo=UTC),
        "meters": ["input_tokens"],
        "models": None,
        "quantity": Decimal(1_500_000),
        "included": Decimal(0),
        "billable": Decimal(1_500_000),
        "unit_size": 1_000_000,
        "price": Decimal("2.50"),
        "exact": Decimal("3.75"),
        "amount": Money(amount=Decimal("3.75"), currency="USD"),
    }
    return SpendLine.model_validate({**usual, **changed})


def test_a_line_by_the_unit() -> None:
    row = line_row(line(included=Decimal(500_000)), "USD", "UTC")
    assert (row.quantity, row.included, row.price) == ("1,500,000", "500,000", "$2.50 per 1M")
    assert row.detail == "Input tokens · all models"
    assert (row.plan, row.exact, row.amount) == ("pro v2", "$3.75", "$3.75")


def test_a_package_and_a_percentage_say_what_the_price_is_for() -> None:
    package = line(kind="package", unit_size=1000, price=Decimal("4.00"))
    assert line_row(package, "USD", "UTC").price == "$4.00 per package of 1K"
    share = line(kind="percentage", unit_size=1, price=Decimal("0.0250"))
    assert line_row(share, "USD", "UTC").price == "2.5%"


def test_tiers_say_what_fell_in_each_and_their_fee() -> None:
    def tier(quantity: int, price: str, fee: str = "0") -> TierSpend:
        return TierSpend(
            up_to=None,
            quantity=Decimal(quantity),
            price=Decimal(price),
            amount=Decimal(0),
            flat_fee=Decimal(fee),
        )

    volume = line(kind="volume", price=None, tiers=[tier(0, "3.00"), tier(1_500_000, "2.00", "5")])
    row = line_row(volume, "USD", "UTC")
    assert row.price == ""
    assert row.detail == "1.5M at $2.00 per 1M + $5.00"


def test_a_fee_says_its_days_and_its_seats_only_if_there_are_several() -> None:
    fee = {"kind": "flat", "meters": [], "quantity": Decimal(1), "billable": Decimal(1)}
    row = line_row(line(**fee), "USD", "UTC")
    assert (row.quantity, row.price, row.detail) == ("", "$2.50 per month", "1 – 30 Nov 2026")
    assert line_row(line(**{**fee, "quantity": Decimal("2.5")}), "USD", "UTC").quantity == "2.5"


def test_a_fee_by_the_year_says_what_it_is_for_and_what_is_given_back() -> None:
    fee = {
        "kind": "flat",
        "cadence": "year",
        "meters": [],
        "price": Decimal(365),
        "quantity": Decimal(1),
        "end": datetime(2027, 11, 1, tzinfo=UTC),
    }
    row = line_row(line(**fee), "USD", "UTC")
    assert (row.quantity, row.price) == ("", "$365.00 per year")
    assert row.detail == "1 Nov 2026 – 31 Oct 2027"
    back = line(**fee | {"quantity": Decimal("-1.643835616438356164383562")})
    row = line_row(back, "USD", "UTC")
    assert (row.quantity, row.detail) == ("−1.6438", "Given back for 1 Nov 2026 – 31 Oct 2027")


@pytest.mark.parametrize(
    ("quantity", "reads"),
    [
        ("0.083333333333333333333333", "1/12 of $365.00 per year"),
        ("0.5", "1/2 of $365.00 per year"),
        ("0.25", "1/4 of $365.00 per year"),
        ("0.4521", "0.4521 at $365.00 per year"),
        ("2", "2 at $365.00 per year"),
        ("1", "$365.00 per year"),
    ],
)
def test_months_of_a_yearly_fee_are_parts_of_it(quantity: str, reads: str) -> None:
    fee = {"kind": "flat", "cadence": "year", "meters": [], "price": Decimal(365)}
    row = line_row(line(**fee | {"quantity": Decimal(quantity)}), "USD", "UTC")
    assert row.bought == reads


def test_an_adjustment_has_its_sign() -> None:
    discount = SpendAdjustment(
        kind="discount",
        id="early",
        name="Early adopters",
        plan="pro",
        plan_version=2,
        exact=Decimal("-0.375"),
        amount=Money(amount=Decimal("-0.38"), currency="USD"),
    )
    row = adjustment_row(discount, "USD")
    assert (row.name, row.detail, row.exact, row.amount) == (
        "Early adopters",
        "Discount",
        "−$0.375",
        "−$0.38",
    )
    coupon = discount.model_copy(update={"kind": "coupon", "plan": ""})
    assert adjustment_row(coupon, "USD").plan == ""
