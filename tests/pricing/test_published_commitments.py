"""Commitments as other billing systems' documentation works them out, settled by Farebox.

Each row cites the page that gives the terms and the amounts. All pages were read in 2026.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.rating.commitments import Commitment, CommittedPeriod, TrueUp, settle
from backend.pricing.rating.rated_period import rate
from backend_client.types.charges import FlatCharge, PerUnitCharge
from backend_client.types.plans import PlanDefinition
from tests.pricing.strategies import PERIOD, whole

pytestmark = pytest.mark.fast

LAGO = "https://getlago.com/docs/guide/lago-cloud/contract-billing"
LAGO_PLAN = "https://github.com/getlago/lago-api/pull/1787"
NETSUITE = "https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_0903034054.html"
METRONOME = "https://docs.metronome.com/api-reference/credits-and-commits/disable-trueup-for-commit"
FLEXPRICE = "https://docs.flexprice.io/docs/subscriptions/commitment/overview"


def committed(amount: str, periods: int, true_up: TrueUp) -> Commitment:
    length = timedelta(days=30)
    return Commitment(
        "c",
        "C",
        tuple(
            CommittedPeriod(
                PERIOD.start + length * number,
                PERIOD.start + length * (number + 1),
                Decimal(amount),
            )
            for number in range(periods)
        ),
        true_up,
    )


@pytest.mark.parametrize(
    ("page", "commitment", "used", "true_ups"),
    [
        (LAGO, committed("1000", 1, TrueUp.PERIOD), ["800"], ["200.00"]),
        (LAGO, committed("1000", 1, TrueUp.PERIOD), ["1300"], ["0.00"]),
        # 1,000 a year, priced annually and billed monthly: 600 by its end
        (
            NETSUITE,
            committed("250", 4, TrueUp.TERM),
            ["150", "200", "100", "150"],
            ["0.00", "0.00", "0.00", "400.00"],
        ),
        (FLEXPRICE, committed("1000", 1, TrueUp.PERIOD), ["1000"], ["0.00"]),
        # A postpaid commit, by the page's rule with figures of our own: usage is paid in arrears,
        # and one final invoice asks for what all of it together is short of the commit
        (
            METRONOME,
            committed("4000", 3, TrueUp.TERM),
            ["2500", "6000", "1500.50"],
            ["0.00", "0.00", "1999.50"],
        ),
        (METRONOME, committed("4000", 2, TrueUp.TERM), ["7000", "2000"], ["0.00", "0.00"]),
    ],
)
def test_true_up_agrees_with(
    page: str, commitment: Commitment, used: list[str], true_ups: list[str]
) -> None:
    outcomes = settle(commitment, [Decimal(amount) for amount in used], "USD")
    assert [str(outcome.true_up) for outcome in outcomes] == true_ups, page


def test_a_plans_minimum_counts_the_subscription_fee() -> None:
    """50 and 3 units of 10 come to 80; 20 more make the minimum of 100."""
    plan = PlanDefinition(
        id="plan",
        name="Plan",
        minimum=Decimal(100),
        charges=[
            FlatCharge(id="fee", name="Fee", price=Decimal(50)),
            PerUnitCharge(id="c", name="C", meters=["m"], unit_size=1, price=Decimal(10)),
        ],
    )
    bill = rate([whole(plan, [MeteredQuantity("any", "m", Decimal(3))])], PERIOD, "USD")
    (true_up,) = bill.adjustments
    assert (str(true_up.amount), str(bill.total)) == ("20.00", "100.00"), LAGO_PLAN
