"""Fees that are asked for once, when a plan is taken up: set-up, onboarding. Pure.

A fee for the subscription is asked for then. One by the seat or the add-on is asked for each that
goes beyond the most that there were since, so that fewer and more again cost nothing anew. What
was asked for stays: neither a new version nor a pause asks again, and leaving gives nothing back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.stretches import Stretch, fees_since_taken_up
from backend.pricing.rating.yearly_fees import FeeOf, YearlyFee
from backend_client.types.charges import Cadence, FlatCharge


def one_off_fees(stretches: Sequence[Stretch], period: BillingPeriod) -> dict[FeeOf, YearlyFee]:
    """Return what a period asks for of each such fee. Its ``stretches`` are in the order of time.

    A stretch that stands alone, as a simulated one does, has none.
    """
    fees: dict[FeeOf, YearlyFee] = {}
    most: dict[tuple[str, datetime, str], int] = {}
    for stretch in stretches:
        if stretch.plan is None or stretch.trial or stretch.years_since is None:
            continue
        for charge in fees_since_taken_up(stretch.plan):
            if charge.cadence is not Cadence.ONCE:
                continue
            key = (stretch.plan.id, stretch.years_since, charge.id)
            now = stretch.how_many(charge)
            before = max(_before(stretch, charge, period), most.get(key, 0))
            most[key] = max(before, now)
            if now > before:
                of = FeeOf(stretch.plan.id, stretch.plan_version, charge.id)
                fee = fees.setdefault(of, YearlyFee())
                fee.ask(now - before, Fraction(1), stretch.start, period.end)
                fee.own += now - before
    return fees


def _before(stretch: Stretch, charge: FlatCharge, period: BillingPeriod) -> int:
    """Return for how many the fee was asked before this period."""
    if stretch.had is not None:
        return stretch.had.how_many(charge)
    taken_up = stretch.years_since
    return stretch.how_many(charge) if taken_up is None or taken_up < period.start else 0
