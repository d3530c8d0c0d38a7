"""Bills that other billing systems' documentation works out, rated by Farebox.

Each row cites the page that gives the prices and the amount. All pages were read in 2026.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from backend.pricing.rating.rated_period import MeteredQuantity, rate
from backend_client.types.charges import (
    Charge,
    GraduatedCharge,
    PackageCharge,
    PerUnitCharge,
    Tier,
    VolumeCharge,
)
from backend_client.types.plans import PlanDefinition
from tests.pricing.strategies import PERIOD, whole

pytestmark = pytest.mark.fast

FIELDS = {"id": "c", "name": "C", "meters": ["m"]}


def tiers(*bands: tuple[int | None, str] | tuple[int | None, str, str]) -> list[Tier]:
    return [
        Tier(
            up_to=None if band[0] is None else Decimal(band[0]),
            price=Decimal(band[1]),
            flat_fee=Decimal(band[2]) if len(band) > 2 else Decimal(0),
        )
        for band in bands
    ]


def volume(*bands: tuple[int | None, str] | tuple[int | None, str, str]) -> VolumeCharge:
    return VolumeCharge(**FIELDS, unit_size=1, tiers=tiers(*bands))


def graduated(*bands: tuple[int | None, str] | tuple[int | None, str, str]) -> GraduatedCharge:
    return GraduatedCharge(**FIELDS, unit_size=1, tiers=tiers(*bands))


STRIPE = "https://docs.stripe.com/subscriptions/pricing-models/tiered-pricing"
FONTS = ((5, "7"), (10, "6.5"), (None, "6"))
LAGO = "https://getlago.com/docs/guide/plans/charges/charge-models"
CALLS = (
    (10_000, "0.0010", "10"),
    (50_000, "0.0008", "10"),
    (100_000, "0.0006", "10"),
    (None, "0.0004", "10"),
)
SHARES = ((1_000, "0.01", "200"), (10_000, "0.02", "300"), (None, "0.03", "400"))
ZUPLO = "https://zuplo.com/docs/articles/monetization/pricing-models"
AUTUMN = "https://docs.useautumn.com/documentation/modelling-pricing/graduated-pricing"
CHARGEBEE = "https://www.chargebee.com/docs/billing/2.0/product-catalog/package-pricing"
LEMON = "https://docs.lemonsqueezy.com/help/products/pricing-models"
HOURS = "https://docs.stripe.com/billing/subscriptions/usage-based/transform-quantities"
FORUM = "https://insiders.stripe.dev/t/how-to-charge-for-free-overflow-tokens/2696"
TOKENS = PackageCharge(**FIELDS, package_size=1_000_000, price=Decimal("1.25"))


@pytest.mark.parametrize(
    ("page", "charge", "units", "amount"),
    [
        (STRIPE, volume(*FONTS), 1, "7.00"),
        (STRIPE, volume(*FONTS), 5, "35.00"),
        (STRIPE, volume(*FONTS), 6, "39.00"),
        (STRIPE, volume(*FONTS), 20, "120.00"),
        (STRIPE, volume(*FONTS), 25, "150.00"),
        (STRIPE, graduated(*FONTS), 5, "35.00"),
        # Four dollars for the first 100,000 tokens, and what 70 more come to is lost in rounding
        (FORUM, graduated((100_000, "0", "4"), (None, "0.000065")), 100_000, "4.00"),
        (FORUM, graduated((100_000, "0", "4"), (None, "0.000065")), 100_070, "4.00"),
        # Ten dollars an hour, begun hours whole: 150 minutes are three
        (HOURS, PackageCharge(**FIELDS, package_size=60, price=Decimal(10)), 150, "30.00"),
        (LEMON, PackageCharge(**FIELDS, package_size=100, price=Decimal(10)), 120, "20.00"),
        (f"{LAGO}/volume", volume(*CALLS), 65_000, "49.00"),
        (
            f"{LAGO}/package",
            PackageCharge(**FIELDS, package_size=100, price=Decimal(5), included=Decimal(100)),
            201,
            "10.00",
        ),
        # Three transactions of 500, 550 and 4,000: 205 + 306 + 80
        (f"{LAGO}/graduated-percentage", graduated(*SHARES), 500, "205.00"),
        (f"{LAGO}/graduated-percentage", graduated(*SHARES), 1_050, "511.00"),
        (f"{LAGO}/graduated-percentage", graduated(*SHARES), 5_050, "591.00"),
        (ZUPLO, graduated((1_000, "0.10"), (10_000, "0.05"), (None, "0.01")), 15_000, "600.00"),
        (ZUPLO, volume((1_000, "0.10"), (10_000, "0.05"), (None, "0.01")), 15_000, "150.00"),
        (AUTUMN, graduated((1_000, "0.01"), (10_000, "0.008"), (None, "0.005")), 15_000, "107.00"),
        (CHARGEBEE, TOKENS, 10, "1.25"),
        (CHARGEBEE, TOKENS, 1_000_000, "1.25"),
        (CHARGEBEE, TOKENS, 1_500_000, "2.50"),
        (
            "https://getlago.com/docs/guide/plans/charges/spending-minimum",
            PerUnitCharge(**FIELDS, unit_size=1, price=Decimal("0.010"), minimum=Decimal(100)),
            5_000,
            "100.00",  # 50 and a true-up of 50
        ),
    ],
)
def test_agrees_with(page: str, charge: Charge, units: int, amount: str) -> None:
    plan = PlanDefinition(id="plan", name="Plan", charges=[charge])
    bill = rate([whole(plan, [MeteredQuantity("any", "m", Decimal(units))])], PERIOD, "USD")
    assert str(bill.total) == amount, page
