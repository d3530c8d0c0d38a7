"""Rating: from summed usage and plan versions to the lines of a bill. Pure.

``rate`` is the one function behind live spend, invoices, previews, forecasts and simulations. Its
rules, also those for changes of plan, are in ``docs/pricing.md``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from backend.pricing.charges.kinds import PricedTier, PricedUnits, price_units
from backend.pricing.charges.rate_card import MeteredQuantity, RateCard
from backend.pricing.money import ZERO, exact_arithmetic, prorate, round_to_minor_unit
from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.adjustments import Adjuster, Adjustment
from backend.pricing.rating.coupons import CouponTerms, apply_coupons
from backend.pricing.rating.stretches import Stretch
from backend.pricing.rating.yearly_fees import YearlyFee, yearly_fees
from backend.pricing.rating.years import MONTHS
from backend_client.types.charges import Cadence, Charge, FlatCharge, FlatPer
from backend_client.types.plan_terms import Proration
from backend_client.types.plans import PlanDefinition

_Sums = defaultdict[tuple[str, str], Decimal]

__all__ = ["MeteredQuantity", "RatedLine", "RatedPeriod", "Stretch", "rate"]


@dataclass(frozen=True, slots=True)
class RatedLine:
    """One charge of one plan version. ``amount`` is ``exact`` rounded to the minor unit.

    ``start`` to ``end`` is the part of the period that the version covers. A yearly fee's is the
    time that it is asked for or, if ``quantity`` is below zero, given back; the quantity is in
    years of one fee. What was used on ``trial`` has a line of its own, which an adjustment takes
    off again.
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


@dataclass(slots=True)
class _Version:
    """What a billing period has of one plan version, over all its stretches.

    ``fees`` has, by fee for the month, the sum over stretches of how many are asked for times the
    share of the period; ``yearly`` has the fees for the year. Included units and tiers count on
    within one ``series``: a plan's versions, but not its trial.
    """

    plan: PlanDefinition
    version: int
    trial: bool
    start: datetime
    end: datetime
    share: Fraction = Fraction(0)
    fees: dict[str, Fraction] = field(default_factory=dict)
    yearly: dict[str, YearlyFee] = field(default_factory=dict)
    used: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    free: dict[str, Decimal] = field(default_factory=dict)

    @property
    def series(self) -> str:
        return f"{self.plan.id} on trial" if self.trial else self.plan.id

    def cover(self, stretch: Stretch, period: BillingPeriod) -> None:
        """Add a stretch's time to the shares."""
        by_day = self.plan.proration is Proration.DAY
        share = (period.share_in_days if by_day else period.share)(stretch.start, stretch.end)
        self.end = max(self.end, stretch.end)
        self.share += share
        for charge in self.plan.charges:
            if isinstance(charge, FlatCharge) and (part := _part(charge, stretch)) is not None:
                self.fees[charge.id] = self.fees.get(charge.id, Fraction(0)) + share * part


def _part(charge: FlatCharge, stretch: Stretch) -> Fraction | None:
    """Return how much of a fee a whole period is asked for; None where years are counted."""
    if charge.cadence is Cadence.MONTH:
        return Fraction(stretch.how_many(charge))
    if stretch.trial or stretch.years_since is not None:
        return None
    return Fraction(stretch.how_many(charge), MONTHS)


def rate(
    stretches: Iterable[Stretch],
    period: BillingPeriod,
    currency: str,
    coupons: Sequence[CouponTerms] = (),
) -> RatedPeriod:
    """Rate a billing period.

    Each stretch's usage is priced by its own plan. All stretches of one plan version make one line
    for each charge, however the period is cut. A later version of the same plan continues the count
    of the earlier one: included units and tiers are granted once a period. Flat fees are prorated
    as the plan says; those for a year are asked for when it begins. Coupons come off last. Raises
    ``ValueError`` for a plan in another currency or a negative quantity.
    """
    with exact_arithmetic():
        unpriced: _Sums = defaultdict(Decimal)
        versions = _by_version(stretches, period, currency, unpriced)
        totals = _allot_free_units(versions)
        adjuster = Adjuster(currency)
        before: _Sums = defaultdict(Decimal)
        lines: list[RatedLine] = []
        adjustments: list[Adjustment] = []
        accrued: defaultdict[str, Decimal] = defaultdict(Decimal)
        for version in versions:
            own = list(_lines(version, currency, before, totals))
            lines += own
            made_here, costs = _adjustments(version, own, adjuster, currency)
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
    version: _Version, lines: Sequence[RatedLine], adjuster: Adjuster, currency: str
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
        return adjuster.adjust(plan, version.version, version.share, amounts, own)
    free = -sum(amounts.values(), ZERO)
    adjustment = Adjustment("trial", plan.id, "Trial", plan.id, version.version, free, free)
    return [adjustment] * bool(free), ZERO


def _by_version(
    stretches: Iterable[Stretch],
    period: BillingPeriod,
    currency: str,
    unpriced: _Sums,
) -> list[_Version]:
    versions: dict[tuple[str, int, bool], tuple[_Version, RateCard]] = {}
    in_order = sorted(stretches, key=lambda stretch: stretch.start)
    for stretch in in_order:
        card: RateCard | None = None
        if stretch.plan is not None:
            if stretch.plan.currency != currency:
                raise ValueError(f"plan {stretch.plan.id} is not priced in {currency}")
            key = (stretch.plan.id, stretch.plan_version, stretch.trial)
            if key not in versions:
                opened = _Version(
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
                key: _Version(left.plan, left.plan_version, False, left.end, left.end)
            } | by_key
    for of, fee in yearly_fees(in_order, period).items():
        by_key[of.plan, of.plan_version, False].yearly[of.charge] = fee
    return list(by_key.values())


def _allot_free_units(versions: list[_Version]) -> _Sums:
    """Set which units of each charge are free; return the period's billable units by charge.

    A charge's own included units go first, then the pools. A later version of the same plan has
    only what the earlier ones left of both.
    """
    had: _Sums = defaultdict(Decimal)
    drawn: _Sums = defaultdict(Decimal)
    totals: _Sums = defaultdict(Decimal)
    for version in versions:
        plan, used, free, series = version.plan, version.used, version.free, version.series
        free.update(dict.fromkeys(used, ZERO))
        for charge in plan.charges:
            if isinstance(charge, FlatCharge) or not charge.included or charge.id not in used:
                continue
            own = max(charge.included - had[series, charge.id], ZERO)
            free[charge.id] = min(own, used[charge.id])
            had[series, charge.id] += free[charge.id]
        for pool in plan.pools:
            for charge_id in pool.charges:
                wanted = used.get(charge_id, ZERO) - free.get(charge_id, ZERO)
                taken = min(wanted, max(pool.quantity - drawn[series, pool.id], ZERO))
                drawn[series, pool.id] += taken
                if taken:
                    free[charge_id] += taken
        for charge_id, quantity in used.items():
            totals[series, charge_id] += quantity - free[charge_id]
    return totals


def _lines(version: _Version, currency: str, before: _Sums, totals: _Sums) -> Iterable[RatedLine]:
    series = version.series
    for charge in version.plan.charges:
        start, end, free = version.start, version.end, ZERO
        if isinstance(charge, FlatCharge) and charge.id in version.fees:
            share = version.fees[charge.id]
            if not share and charge.per is not FlatPer.SUBSCRIPTION:
                continue
            # How many on average over the time that the plan covers: 2.5 seats
            average = share / version.share if version.share else Fraction(1)
            quantity = prorate(Decimal(1), average)
            priced = PricedUnits(prorate(charge.price, share))
        elif isinstance(charge, FlatCharge):
            fee = version.yearly.get(charge.id)
            if fee is None or not fee.asked or fee.start is None or fee.end is None:
                continue
            start, end = fee.start, fee.end
            quantity = prorate(Decimal(1), fee.asked)
            priced = PricedUnits(prorate(charge.price, fee.asked))
        elif quantity := version.used.get(charge.id, ZERO):
            key = (series, charge.id)
            free = version.free[charge.id]
            priced = price_units(charge, before[key], quantity - free, totals[key])
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
        )
