"""Rating: from summed usage and plan versions to the lines of a bill. Pure.

``rate`` is the one function behind live spend, invoices, previews, forecasts and simulations. Its
rules, also those for changes of plan, are in ``docs/pricing.md``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from backend.pricing.charges.kinds import PricedTier, PricedUnits, price_units
from backend.pricing.charges.rate_card import MeteredQuantity, RateCard
from backend.pricing.money import ZERO, exact_arithmetic, prorate, round_to_minor_unit
from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.adjustments import Adjuster, Adjustment
from backend.pricing.rating.allowances import Allowances, allot_free_units
from backend.pricing.rating.coupons import CouponTerms, apply_coupons
from backend.pricing.rating.one_off_fees import one_off_fees
from backend.pricing.rating.stretches import Stretch
from backend.pricing.rating.versions import CoveredVersion
from backend.pricing.rating.yearly_fees import FeePart, yearly_fees
from backend_client.types.charges import Charge, FlatCharge, FlatPer

_Sums = defaultdict[tuple[str, str], Decimal]

__all__ = ["MeteredQuantity", "RatedLine", "RatedPeriod", "Stretch", "rate"]


@dataclass(frozen=True, slots=True)
class RatedLine:
    """One charge of one plan version. ``amount`` is ``exact`` rounded to the minor unit.

    ``start`` to ``end`` is the part of the period that the version covers. A yearly or quarterly
    fee's is the time that it is asked for or, if ``quantity`` is below zero, given back; the
    quantity is in years, or quarters, of one fee, and each change of the number is one of its
    ``fee_parts``. What was used on ``trial`` has a line of its own,
    which an adjustment takes off again. ``fee_parts`` are the times that a fee for the month is
    made up of where its number changed; their prices add up to ``exact``.
    """

    charge: Charge
    plan: str
    plan_version: int
    start: datetime
    end: datetime
    quantity: Decimal
    included: Decimal
    billable: Decimal
    tiers: tuple[PricedTier, ...]
    exact: Decimal
    amount: Decimal
    trial: bool = False
    fee_parts: tuple[FeePart, ...] = ()


@dataclass(frozen=True, slots=True)
class RatedPeriod:
    """A period's lines and adjustments. ``total`` sums their rounded amounts.

    ``exact_total`` sums the unrounded ones. ``accrued`` is what the period itself costs: the total,
    but each yearly fee counts with the part of its year, not with what is asked for or given back.
    It is never below zero.
    """

    currency: str
    lines: tuple[RatedLine, ...]
    adjustments: tuple[Adjustment, ...]
    unpriced: tuple[MeteredQuantity, ...]
    exact_total: Decimal
    total: Decimal
    accrued: Decimal


def rate(
    stretches: Iterable[Stretch],
    period: BillingPeriod,
    currency: str,
    coupons: Sequence[CouponTerms] = (),
) -> RatedPeriod:
    """Rate a billing period.

    Each stretch's usage is priced by its own plan. All stretches of one plan version make one line
    for each charge, however the period is cut. A later version of the same plan continues the count
    of the earlier one: included units and tiers are granted once a period. What a plan gives free
    of charge comes with the share of the period that it covers. Flat fees are prorated as the plan
    says; those for a year are asked for when it begins. Coupons come off last. Raises
    ``ValueError`` for a plan in another currency or a negative quantity.
    """
    with exact_arithmetic():
        unpriced: _Sums = defaultdict(Decimal)
        versions = _by_version(stretches, period, currency, unpriced)
        allowances = Allowances(versions)
        totals = allot_free_units(versions, allowances)
        adjuster = Adjuster(currency)
        before: _Sums = defaultdict(Decimal)
        lines: list[RatedLine] = []
        adjustments: list[Adjustment] = []
        accrued: defaultdict[str, Decimal] = defaultdict(Decimal)
        for version in versions:
            own = list(_lines(version, currency, before, totals, allowances))
            lines += own
            made_here, costs = _adjustments(version, own, adjuster, allowances, currency)
            adjustments += made_here
            accrued[version.plan.id] += costs
        off = apply_coupons(coupons, accrued, currency)
        adjustments += off
        parts: list[RatedLine | Adjustment] = [*lines, *adjustments]
        nothing = round_to_minor_unit(ZERO, currency)
        return RatedPeriod(
            currency,
            tuple(lines),
            tuple(adjustments),
            tuple(MeteredQuantity(*key, quantity) for key, quantity in sorted(unpriced.items())),
            sum((part.exact for part in parts), ZERO),
            sum((part.amount for part in parts), nothing),
            sum((coupon.amount for coupon in off), sum(accrued.values(), nothing)),
        )


def _adjustments(
    version: CoveredVersion,
    lines: Sequence[RatedLine],
    adjuster: Adjuster,
    allowances: Allowances,
    currency: str,
) -> tuple[list[Adjustment], Decimal]:
    """Return a version's adjustments, and what it costs the period with them."""
    plan = version.plan
    amounts = {line.charge.id: line.amount for line in lines}
    if not version.trial:
        own = {
            charge.id: round_to_minor_unit(prorate(charge.price, fee.own), currency)
            for charge in plan.charges
            if isinstance(charge, FlatCharge) and (fee := version.yearly.get(charge.id))
        }
        off = {
            discount.id: allowances.of(version, "discount", discount.id)
            for discount in plan.discounts
        }
        return adjuster.adjust(plan, version.version, version.share, amounts, own, off)
    free = -sum(amounts.values(), ZERO)
    adjustment = Adjustment("trial", plan.id, "Trial", plan.id, version.version, free, free)
    return [adjustment] * bool(free), ZERO


def _by_version(
    stretches: Iterable[Stretch],
    period: BillingPeriod,
    currency: str,
    unpriced: _Sums,
) -> list[CoveredVersion]:
    versions: dict[tuple[str, int, bool], tuple[CoveredVersion, RateCard]] = {}
    in_order = sorted(stretches, key=lambda stretch: stretch.start)
    for stretch in in_order:
        card: RateCard | None = None
        if stretch.plan is not None:
            if stretch.plan.currency != currency:
                raise ValueError(f"plan {stretch.plan.id} is not priced in {currency}")
            key = (stretch.plan.id, stretch.plan_version, stretch.trial)
            if key not in versions:
                opened = CoveredVersion(
                    stretch.plan, stretch.plan_version, stretch.trial, stretch.start, stretch.end
                )
                versions[key] = (opened, RateCard(stretch.plan))
            version, card = versions[key]
            version.cover(stretch, period)
        for metered in stretch.usage:
            if metered.quantity < 0:
                raise ValueError(f"negative quantity of {metered.meter} of {metered.model}")
            charge = (
                card.charge_for(metered.model, metered.meter, metered.window, metered.labels)
                if card
                else None
            )
            if charge is not None:
                version.used[charge.id] += metered.quantity
            elif metered.quantity:
                unpriced[metered.model, metered.meter] += metered.quantity
    by_key = {key: version for key, (version, _) in versions.items()}
    if in_order and (left := in_order[0].before) is not None and left.plan is not None:
        # What was left when the period began has no time in it, but may have a fee to give back
        key = (left.plan.id, left.plan_version, False)
        if key not in by_key:
            by_key = {
                key: CoveredVersion(left.plan, left.plan_version, False, left.end, left.end)
            } | by_key
    asked_at_once = yearly_fees(in_order, period) | one_off_fees(in_order, period)
    for of, fee in asked_at_once.items():
        by_key[of.plan, of.plan_version, False].yearly[of.charge] = fee
    return list(by_key.values())


def _lines(
    version: CoveredVersion,
    currency: str,
    before: _Sums,
    totals: _Sums,
    allowances: Allowances,
) -> Iterable[RatedLine]:
    series = version.series
    for charge in version.plan.charges:
        start, end, free = version.start, version.end, ZERO
        parts: tuple[FeePart, ...] = ()
        if isinstance(charge, FlatCharge) and charge.id in version.fees:
            share = version.fees[charge.id]
            if not share and charge.per is not FlatPer.SUBSCRIPTION:
                continue
            # How many on average over the time that the plan covers: 2.5 seats
            average = share / version.share if version.share else Fraction(1)
            quantity = prorate(Decimal(1), average)
            priced = PricedUnits(prorate(charge.price, share))
            if any(part.many != average for part in version.fee_parts[charge.id]):
                parts = tuple(version.fee_parts[charge.id])
        elif isinstance(charge, FlatCharge):
            fee = version.yearly.get(charge.id)
            if fee is None or not fee.asked or fee.start is None or fee.end is None:
                continue
            start, end = fee.start, fee.end
            quantity = prorate(Decimal(1), fee.asked)
            parts = fee.itemized()
            priced = PricedUnits(prorate(charge.price, fee.asked))
        elif quantity := version.used.get(charge.id, ZERO):
            key = (series, charge.id)
            free = version.free[charge.id]
            due = allowances.with_tiers(version, charge)
            priced = price_units(due, before[key], quantity - free, totals[key])
            before[key] += quantity - free
        else:
            continue
        yield RatedLine(
            charge,
            version.plan.id,
            version.version,
            start,
            end,
            quantity,
            free,
            quantity - free,
            priced.tiers,
            priced.amount,
            round_to_minor_unit(priced.amount, currency),
            version.trial,
            parts,
        )
