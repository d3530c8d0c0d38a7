"""Fees and allowances that other billing systems' documentation works out, rated by Farebox.

Each test cites the page that gives the prices and the amounts. All pages were read in 2026.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import ValidationError

from backend.pricing.rating.rated_period import MeteredQuantity, rate
from backend.pricing.rating.stretches import Had, Stretch
from backend_client.types.charges import (
    Cadence,
    FlatCharge,
    FlatPer,
    GraduatedCharge,
    PerUnitCharge,
    Tier,
    VolumeCharge,
)
from backend_client.types.plan_terms import IncludedPool
from backend_client.types.plans import PlanDefinition
from tests.pricing.lives import Standing, bills, day, lived, months
from tests.pricing.strategies import PERIOD, whole

pytestmark = pytest.mark.fast


def fee(price: int, **terms: object) -> FlatCharge:
    return FlatCharge(id="fee", name="Fee", price=Decimal(price), **terms)


def plan(*charges: object, **terms: object) -> PlanDefinition:
    return PlanDefinition(id="plan", name="Plan", charges=list(charges), **terms)


def totals(life: list[Standing], count: int) -> list[str]:
    return [str(bill.total) for bill in bills(life, months(day(0), count))]


SETUP = FlatCharge(id="setup", name="Set-up", price=Decimal(5), cadence=Cadence.ONCE)


def test_a_set_up_fee_is_in_the_first_bill_and_in_no_other() -> None:
    """A plan of $10 a month with a $5 set-up fee: $15 first, then $10.

    https://docs.redhat.com/en/documentation/red_hat_3scale_api_management/2-saas/html/admin_portal_guide/pricing
    """
    assert totals([Standing(day(0), plan(fee(10), SETUP))], 3) == ["15.00", "10.00", "10.00"]


def test_a_set_up_fee_comes_after_a_trial() -> None:
    life = [Standing(day(0), plan(SETUP), trial=True), Standing(day(40), plan(SETUP))]
    assert totals(life, 3) == ["0.00", "5.00", "0.00"]


def test_a_set_up_fee_is_not_asked_again_by_a_new_version_or_a_pause() -> None:
    dearer = plan(SETUP.model_copy(update={"price": Decimal(50)}))
    life = [
        Standing(day(0), plan(SETUP)),
        Standing(day(3), None),
        Standing(day(5), plan(SETUP)),
        Standing(day(9), dearer, version=2),
    ]
    assert totals(life, 1) == ["5.00"]


def test_a_fee_for_each_seat_is_asked_once_for_the_most_there_were() -> None:
    """Five seats, three, four: five are paid. Six then: one more."""
    seats = SETUP.model_copy(update={"per": FlatPer.SEAT})
    life = [
        Standing(day(number), plan(seats), seats=count) for number, count in enumerate((5, 3, 4, 6))
    ]
    assert totals(life, 1) == ["30.00"]
    (later,) = months(day(40), 1)
    (stretch,) = lived([Standing(day(0), plan(seats), seats=7)], later)
    had = [
        Stretch(stretch.plan, 1, later.start, later.end, seats=7, years_since=day(0), had=had)
        for had in (Had(6, {}), Had(7, {}))
    ]
    assert [str(rate([part], later, "USD").total) for part in had] == ["5.00", "0.00"]


def test_a_bill_that_stands_alone_has_no_set_up_fee() -> None:
    assert rate([whole(plan(SETUP, fee(10)), [])], PERIOD, "USD").total == 10


def test_a_quarterly_fee_is_asked_every_three_months() -> None:
    """Billed on a quarterly basis, every three months.

    https://getlago.com/docs/guide/plans/plan-model
    """
    quarterly = plan(fee(300, cadence=Cadence.QUARTER))
    year = totals([Standing(day(0), quarterly)], 12)
    assert year == ["300.00", "0.00", "0.00"] * 4
    # From 10 February: the second quarter begins on 10 May
    assert totals([Standing(day(40), quarterly)], 6) == [
        "0.00",
        "300.00",
        "0.00",
        "0.00",
        "300.00",
        "0.00",
    ]


def test_what_is_left_of_a_quarter_is_given_back() -> None:
    """90 days from 1 January at 3 a day: left after 60."""
    quarterly = plan(fee(270, cadence=Cadence.QUARTER))
    assert totals([Standing(day(0), quarterly), Standing(day(60), None)], 3) == [
        "270.00",
        "0.00",
        "-90.00",
    ]


TEAM = plan(
    FlatCharge(id="seats", name="Seats", price=Decimal(20), per=FlatPer.SEAT),
    PerUnitCharge(
        id="requests",
        name="Requests",
        meters=["requests"],
        unit_size=1,
        price=Decimal("0.02"),
        included_per_seat=Decimal(10_000),
    ),
    PerUnitCharge(
        id="storage",
        name="Storage",
        meters=["gigabytes"],
        unit_size=1,
        price=Decimal(1),
        included_per_seat=Decimal(5),
    ),
)


def on_team(requests: int, gigabytes: int, seats: int = 10) -> Stretch:
    usage = [
        MeteredQuantity("any", "requests", Decimal(requests)),
        MeteredQuantity("any", "gigabytes", Decimal(gigabytes)),
    ]
    return Stretch(TEAM, 1, PERIOD.start, PERIOD.end, usage, seats=seats)


@pytest.mark.parametrize(
    ("requests", "gigabytes", "total"),
    [
        (100_000, 50, "200.00"),  # all that ten seats include
        (120_000, 60, "610.00"),  # 20,000 at 0.02 and 10 at 1 more
    ],
)
def test_what_is_included_grows_with_the_seats(requests: int, gigabytes: int, total: str) -> None:
    """$20 a seat with 10,000 requests and 5 GB each; $0.02 a request and $1 a GB beyond.

    Ten seats: $200, with 100,000 requests and 50 GB.
    https://www.chargebee.com/docs/billing/2.0/usage-based-billing/bill-per-seat-with-included-usage-per-seat-and-monthly-overages
    """
    assert str(rate([on_team(requests, gigabytes)], PERIOD, "USD").total) == total


def test_a_pool_grows_with_the_seats() -> None:
    """1,900 units for each license, shared by all: two have 3,800 and five 9,500.

    https://github.com/orgs/community/discussions/209819
    """
    units = PerUnitCharge(id="u", name="U", meters=["m"], unit_size=1, price=Decimal("0.01"))
    pool = IncludedPool(id="p", name="P", charges=["u"], quantity_per_seat=Decimal(1900))
    shared = plan(units, pools=[pool])
    used = [MeteredQuantity("any", "m", Decimal(10_000))]
    for seats, included in ((2, 3_800), (5, 9_500)):
        stretch = Stretch(shared, 1, PERIOD.start, PERIOD.end, used, seats=seats)
        (line,) = rate([stretch], PERIOD, "USD").lines
        assert line.included == included


def test_a_pool_needs_units() -> None:
    with pytest.raises(ValidationError, match="give a quantity or a quantity_per_seat"):
        IncludedPool(id="p", name="P", charges=["u"])


def test_a_tier_can_sell_packages() -> None:
    """In volume mode 4,500 calls at $1.00 for each 1,000 are 5 packages: $5.

    https://docs.flexprice.io/docs/product-catalogue/plans/billing-models/tiered
    """
    tiers = [Tier(up_to=Decimal(10_000), price=Decimal(1)), Tier(up_to=None, price=Decimal("0.5"))]
    calls = VolumeCharge(id="c", name="C", meters=["m"], package_size=1000, tiers=tiers)
    used = [MeteredQuantity("any", "m", Decimal(4_500))]
    (line,) = rate([whole(plan(calls), used)], PERIOD, "USD").lines
    assert (str(line.amount), line.tiers[0].quantity) == ("5.00", 5_000)


def test_units_are_rounded_up_to_packages_before_they_are_put_in_tiers() -> None:
    """Tiers are applied after rounding up the quantity to the package size.

    https://www.rubydoc.info/gems/orb-billing/Orb/Models/Price/TieredPackage/TieredPackageConfig
    """
    tiers = [Tier(up_to=Decimal(1_000), price=Decimal(3)), Tier(up_to=None, price=Decimal(2))]
    charge = GraduatedCharge(id="c", name="C", meters=["m"], package_size=500, tiers=tiers)
    used = [MeteredQuantity("any", "m", Decimal(1_001))]
    assert rate([whole(plan(charge), used)], PERIOD, "USD").total == 2 * 3 + 2


def test_no_tier_ends_within_a_package() -> None:
    tiers = [Tier(up_to=Decimal(1_001), price=Decimal(3)), Tier(up_to=None, price=Decimal(2))]
    with pytest.raises(ValidationError, match="whole packages of 500"):
        GraduatedCharge(id="c", name="C", meters=["m"], package_size=500, tiers=tiers)
