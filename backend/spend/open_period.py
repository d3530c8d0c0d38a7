"""A billing period with all that it is rated from, in one value. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.contract import ContractPeriod, apply_contract
from backend.pricing.rating.coupons import CouponTerms
from backend.pricing.rating.rated_period import RatedPeriod, Stretch, rate
from backend.pricing.rating.stretches import without_minimums


@dataclass(frozen=True, slots=True)
class OpenPeriod:
    """A billing period with its plans and its usage so far. Rates without a database.

    ``version`` is the tenant's usage version that the usage contains at least. ``coupons`` and
    ``contract`` are those of the period.
    """

    period: BillingPeriod
    currency: str
    stretches: tuple[Stretch, ...]
    version: int
    coupons: tuple[CouponTerms, ...] = ()
    contract: ContractPeriod | None = None

    def rate(self, more: Iterable[MeteredQuantity] = ()) -> RatedPeriod:
        """Rate the period as if ``more`` was used before its end, on the plan that it ends with.

        A forecast calls this with simulated quantities, so that included units and tiers apply to
        them as they will apply to the bill.
        """
        *earlier, last = self.stretches
        return self._rate([*earlier, replace(last, usage=[*last.usage, *more])])

    def so_far(self, now: datetime) -> OpenPeriod:
        """The running period for an invoice in part: minimums and later changes wait for the end.

        What begins after ``now`` is not asked for before it does. A change that is to come on the
        same plan, such as of seats, is left out; a plan that is to end is asked for until then.
        """
        begun = [stretch for stretch in self.stretches if stretch.start <= now]
        if not begun:
            return replace(self, stretches=(), contract=None)
        last, follows = begun[-1], self.stretches[len(begun) : len(begun) + 1]
        plans = {stretch.plan and stretch.plan.id for stretch in (last, *follows)}
        if follows and None not in plans and len(plans) == 1:
            begun[-1] = replace(last, end=self.period.end)
        stretches = tuple(without_minimums(stretch) for stretch in begun)
        return replace(self, stretches=stretches, contract=None)

    def rate_with(self, usage: Iterable[Iterable[MeteredQuantity]]) -> RatedPeriod:
        """Rate the period with other usage than the metered: a collection for each stretch."""
        pairs = zip(self.stretches, usage, strict=True)
        return self._rate([replace(stretch, usage=list(used)) for stretch, used in pairs])

    def _rate(self, stretches: list[Stretch]) -> RatedPeriod:
        rated = rate(stretches, self.period, self.currency, self.coupons)
        return rated if self.contract is None else apply_contract(rated, stretches, self.contract)
