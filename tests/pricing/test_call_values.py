"""What a call is worth on a plan: never less than what its units add to the bill."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.charges.kinds import price_units
from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.credit.call_cost import CallValues
from backend.pricing.money import exact_arithmetic
from backend_client.types.charges import GraduatedCharge, Tier, VolumeCharge
from backend_client.types.plans import PlanDefinition
from tests.support.billing import catalog_with

pytestmark = pytest.mark.fast

AT = datetime(2026, 3, 10, 12, 5, tzinfo=UTC)
PAID = next(plan for plan in catalog_with().plans if plan.id == "paid")


def test_tiers_count_at_their_dearest_and_included_units_too() -> None:
    values = CallValues(PAID)
    used = {"input_tokens": Decimal(2_000), "output_tokens": Decimal(300)}
    assert values.cost("large", used, AT) == Decimal("0.0003") + Decimal("0.003")
    assert values.cost("small", used, AT) == Decimal("0.0003")  # whose output has no price


@given(
    before=st.integers(0, 3_000_000),
    units=st.integers(0, 3_000_000),
    kind=st.sampled_from([GraduatedCharge, VolumeCharge]),
    prices=st.tuples(*[st.decimals(0, 20, places=4)] * 2),
)
def test_no_tier_makes_units_dearer_than_their_value(
    before: int,
    units: int,
    kind: type[GraduatedCharge] | type[VolumeCharge],
    prices: tuple[Decimal, Decimal],
) -> None:
    tiers = [Tier(up_to=Decimal(1_000_000), price=prices[0]), Tier(up_to=None, price=prices[1])]
    charge = kind(id="out", name="Output", meters=["output_tokens"], tiers=tiers)
    plan = PlanDefinition(id="p", name="P", charges=[charge])
    value = CallValues(plan).value([MeteredQuantity("m", "output_tokens", Decimal(units))])
    with exact_arithmetic():
        billed = price_units(charge, Decimal(before), Decimal(units), Decimal(before + units))
    assert billed.amount <= value
