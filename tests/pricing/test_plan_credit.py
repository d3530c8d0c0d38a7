"""What the credit that a plan brings pays of the plan's own bills."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.credit.plan_credit import paid_by_own_credit
from backend.pricing.periods import BillingPeriod, billing_period, next_billing_period
from backend_client.types.plan_terms import GrantTerms
from backend_client.types.plans import PlanDefinition

pytestmark = pytest.mark.fast


def periods(count: int) -> list[BillingPeriod]:
    periods = [billing_period(datetime(2026, 3, 10, tzinfo=UTC), "Europe/Berlin")]
    while len(periods) < count:
        periods.append(next_billing_period(periods[-1]))
    return periods


def paid(bills: list[str], *, prepaid: bool = False, **terms: object) -> list[str]:
    plan = PlanDefinition(
        id="plan",
        name="Plan",
        prepaid=prepaid,
        grants=[GrantTerms.model_validate({"id": "c", "name": "Credit", "amount": "10"} | terms)],
    )
    asked = list(zip(periods(len(bills)), map(Decimal, bills), strict=True))
    return [f"{amount:.2f}" for amount in paid_by_own_credit(plan, asked)]


@pytest.mark.parametrize("prepaid", [False, True])
def test_what_is_left_of_a_month_is_carried_on_within_its_cap(prepaid: bool) -> None:
    bills = ["7.00", "12.00", "0.00", "0.00", "99.00"]
    expected = ["7.00", "10.00", "0.00", "0.00", "10.00"]
    assert paid(bills, prepaid=prepaid) == expected
    carried = ["7.00", "12.00", "0.00", "0.00", "14.00"]
    assert paid(bills, prepaid=prepaid, rollover_cap="4") == carried


def test_credit_that_comes_once_lasts_as_long_as_it_says() -> None:
    bills = ["3.00", "3.00", "3.00", "9.00"]
    assert paid(bills, recurs=False) == ["3.00", "3.00", "3.00", "1.00"]
    # 40 days from the first of March are up in April
    assert paid(bills, recurs=False, expires_after_days=40) == ["3.00", "3.00", "0.00", "0.00"]


def test_credit_for_some_models_is_left_out_and_so_are_parts_of_a_cent() -> None:
    assert paid(["3.00"], models=["large"]) == ["0.00"]
    assert paid(["3.00"], amount="2.999") == ["2.99"]
    assert paid(["-3.00", "2.00"], rollover_cap="1") == ["0.00", "2.00"]


@given(
    st.lists(st.decimals(-50, 100, places=2), min_size=1, max_size=8),
    st.decimals(0, 60, places=3),
    st.decimals(0, 60, places=3),
)
def test_it_never_pays_more_than_is_asked_or_was_brought(
    bills: list[Decimal], amount: Decimal, cap: Decimal
) -> None:
    terms = GrantTerms(id="c", name="Credit", amount=amount, rollover_cap=cap)
    plan = PlanDefinition(id="plan", name="Plan", grants=[terms])
    payments = paid_by_own_credit(plan, list(zip(periods(len(bills)), bills, strict=True)))
    for place, (asked, used) in enumerate(zip(bills, payments, strict=True)):
        assert 0 <= used <= max(asked, Decimal(0))
        assert used <= amount + cap
        assert sum(payments[: place + 1]) <= amount * (place + 1)
