"""What comes on top of the charges' lines or off them: maxima, minima, discounts. Pure.

They work on what the lines show, rounded, in this order: each charge's maximum and minimum, then
the plan's discounts as listed, each on what the ones before left, then the plan's maximum and
minimum.

A line of a yearly fee shows what is asked for or given back, for a year at once, and a percentage
comes off that. What applies once a period (an amount off, the plan's limits) goes by what the
period itself costs, in which a yearly fee counts with the part of its year that the period is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from backend.pricing.money import ZERO, prorate, round_to_minor_unit
from backend_client.types.charges import FlatCharge, UsageCharge
from backend_client.types.plan_terms import Discount
from backend_client.types.plans import PlanDefinition

_Key = tuple[str, str | None]
"""A plan's id, and a charge's of it or None for the plan as a whole."""

Kind = Literal[
    "maximum",
    "minimum",
    "discount",
    "trial",
    "coupon",
    "overage_discount",
    "true_up",
    "service_credit",
]


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A signed amount beside the lines.

    ``id`` is the charge's, the discount's, the plan's, the coupon's or the contract's. A coupon's
    and a contract's are on the whole bill: their ``plan`` is empty.
    """

    kind: Kind
    id: str
    name: str
    plan: str
    plan_version: int
    exact: Decimal
    amount: Decimal


class Adjuster:
    """Adjusts a period's plan versions in turn, and counts what a period may have only once.

    A maximum and a discount's amount do not start again with a later version of the plan, and no
    minimum goes beyond what is left of the maximum.
    """

    def __init__(self, currency: str) -> None:
        self._currency = currency
        self._asked: defaultdict[_Key, Decimal] = defaultdict(Decimal)
        self._given: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)

    def adjust(
        self,
        plan: PlanDefinition,
        version: int,
        share: Fraction,
        amounts: Mapping[str, Decimal],
        own: Mapping[str, Decimal],
        off: Mapping[str, Decimal],
    ) -> tuple[list[Adjustment], Decimal]:
        """Return the adjustments of one plan version, and what it costs the period with them.

        ``share`` is the part of the period it covered, ``amounts`` its lines' rounded amounts by
        charge id; ``own`` has the period's own part of each yearly fee. ``off`` has, by discount,
        the amount that the plan's versions take off together. Run it in
        ``money.exact_arithmetic()``.
        """
        adjustments: list[Adjustment] = []

        def add(kind: Kind, of: UsageCharge | Discount | PlanDefinition, exact: Decimal) -> Decimal:
            amount = round_to_minor_unit(exact, self._currency)
            if amount:
                adjustments.append(
                    Adjustment(kind, of.id, of.name, plan.id, version, exact, amount)
                )
            return amount

        def within(of: UsageCharge | PlanDefinition, asked: Decimal, key: _Key) -> Decimal:
            room = None if of.maximum is None else max(of.maximum - self._asked[key], ZERO)
            if room is not None:
                asked += add("maximum", of, min(room - asked, ZERO))
            if of.minimum is not None:
                least = prorate(of.minimum, share)
                least = least if room is None else min(least, room)
                asked += add("minimum", of, max(least - asked, ZERO))
            self._asked[key] += asked
            return asked

        left = _Left({**dict.fromkeys(own, ZERO), **amounts}, {**amounts, **own})
        for charge in plan.charges:
            if isinstance(charge, FlatCharge):
                continue
            asked = within(charge, left.asked.get(charge.id, ZERO), (plan.id, charge.id))
            left.asked[charge.id] = left.own[charge.id] = asked
        for discount in plan.discounts:
            add("discount", discount, -self._discount(plan, discount, left, off))
        return adjustments, within(plan, sum(left.own.values(), ZERO), (plan.id, None))

    def _discount(
        self, plan: PlanDefinition, discount: Discount, left: _Left, due: Mapping[str, Decimal]
    ) -> Decimal:
        """Take the discount off what is left; return what it takes off in all, unrounded."""
        eligible = [
            charge.id
            for charge in plan.charges
            if charge.id in left.own and (discount.charges is None or charge.id in discount.charges)
        ]
        if discount.percent is not None:
            exact = sum((left.asked[name] for name in eligible), ZERO) * discount.percent / 100
            for amounts in (left.asked, left.own):
                off = shares(amounts, eligible, discount.percent, self._currency)
                _take(off, amounts)
            return exact
        amount = max(due[discount.id] - self._given[plan.id, discount.id], ZERO)
        off = fill(left.own, eligible, round_to_minor_unit(amount, self._currency))
        exact = sum(off.values(), ZERO)
        self._given[plan.id, discount.id] += exact
        for amounts in (left.asked, left.own):
            _take(off, amounts)
        return exact


@dataclass(frozen=True, slots=True)
class _Left:
    """What discounts leave of each charge: of what is asked for, and of the period's own."""

    asked: dict[str, Decimal]
    own: dict[str, Decimal]


def _take(off: Mapping[str, Decimal], amounts: dict[str, Decimal]) -> None:
    for name, amount in off.items():
        amounts[name] -= amount


def shares(
    left: dict[str, Decimal], names: Iterable[str], percent: Decimal, currency: str
) -> dict[str, Decimal]:
    """Divide ``percent`` of the whole, rounded once, over the charges to the minor unit.

    The running sum is rounded, so the parts add up to the rounded whole and none exceeds its
    charge.
    """
    off: dict[str, Decimal] = {}
    running = before = ZERO
    for name in names:
        running += left[name]
        after = round_to_minor_unit(running * percent / 100, currency)
        off[name], before = after - before, after
    return off


def fill(left: dict[str, Decimal], names: Iterable[str], amount: Decimal) -> dict[str, Decimal]:
    """Divide ``amount`` over the charges in order, to none more than it has."""
    off: dict[str, Decimal] = {}
    for name in names:
        off[name] = min(left[name], max(amount, ZERO))
        amount -= off[name]
    return off
