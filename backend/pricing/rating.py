"""Rating: from summed usage and plan versions to the lines of a bill. Pure.

``rate`` is the one function behind live spend, forecasts and, later, invoices and simulations.
The rules it keeps, also across changes of plan, are told in ``docs/pricing.md``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from backend.pricing.adjustments import Adjuster, Adjustment
from backend.pricing.charges import PricedTier, PricedUnits, price_units
from backend.pricing.money import exact_arithmetic, prorate, round_to_minor_unit
from backend.pricing.periods import BillingPeriod
from backend.pricing.rate_card import MeteredQuantity, RateCard
from backend_client.types.plans import Charge, FlatCharge, PlanDefinition

_ZERO = Decimal(0)
_Sums = defaultdict[tuple[str, str], Decimal]

__all__ = ["MeteredQuantity", "RatedLine", "RatedPeriod", "Stretch", "rate"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a billing period in which one plan version applied; none when ``plan`` is None."""

    plan: PlanDefinition | None
    plan_version: int
    start: datetime
    end: datetime
    usage: Sequence[MeteredQuantity] = ()


@dataclass(frozen=True, slots=True)
class RatedLine:
    """One charge of one plan version. ``amount`` is ``exact`` rounded to the minor unit."""

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


@dataclass(frozen=True, slots=True)
class RatedPeriod:
    """A period's lines and adjustments. ``total`` sums their rounded amounts.

    ``exact_total`` sums the unrounded ones.
    """

    currency: str
    lines: tuple[RatedLine, ...]
    adjustments: tuple[Adjustment, ...]
    unpriced: tuple[MeteredQuantity, ...]
    exact_total: Decimal
    total: Decimal


@dataclass(slots=True)
class _Version:
    """All that a billing period holds of one plan version, over all its stretches."""

    plan: PlanDefinition
    version: int
    start: datetime
    end: datetime
    share: Fraction = Fraction(0)
    used: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    free: dict[str, Decimal] = field(default_factory=dict)


def rate(stretches: Iterable[Stretch], period: BillingPeriod, currency: str) -> RatedPeriod:
    """Rate a billing period.

    Each stretch's usage is priced by its own plan. All stretches of one plan version make one line
    a charge, however they are cut. A later version of the same plan goes on counting where the
    earlier one stopped: included units and tiers are had once a period. Flat fees are prorated by
    the second. Raises ``ValueError`` for a plan in another currency or a negative quantity.
    """
    with exact_arithmetic():
        unpriced: _Sums = defaultdict(Decimal)
        versions = _by_version(stretches, period, currency, unpriced)
        totals = _allot_free_units(versions)
        adjuster = Adjuster(currency)
        before: _Sums = defaultdict(Decimal)
        lines: list[RatedLine] = []
        adjustments: list[Adjustment] = []
        for version in versions:
            own = list(_lines(version, currency, before, totals))
            amounts = {line.charge.id: line.amount for line in own}
            lines += own
            adjustments += adjuster.adjust(version.plan, version.version, version.share, amounts)
        parts: list[RatedLine | Adjustment] = [*lines, *adjustments]
        return RatedPeriod(
            currency,
            tuple(lines),
            tuple(adjustments),
            tuple(MeteredQuantity(*key, quantity) for key, quantity in sorted(unpriced.items())),
            sum((part.exact for part in parts), _ZERO),
            sum((part.amount for part in parts), round_to_minor_unit(_ZERO, currency)),
        )


def _by_version(
    stretches: Iterable[Stretch],
    period: BillingPeriod,
    currency: str,
    unpriced: _Sums,
) -> list[_Version]:
    versions: dict[tuple[str, int], tuple[_Version, RateCard]] = {}
    for stretch in sorted(stretches, key=lambda stretch: stretch.start):
        card: RateCard | None = None
        if stretch.plan is not None:
            if stretch.plan.currency != currency:
                raise ValueError(f"plan {stretch.plan.id} is not priced in {currency}")
            key = (stretch.plan.id, stretch.plan_version)
            if key not in versions:
                made = _Version(stretch.plan, stretch.plan_version, stretch.start, stretch.end)
                versions[key] = (made, RateCard(stretch.plan))
            version, card = versions[key]
            version.end = max(version.end, stretch.end)
            version.share += period.share(stretch.start, stretch.end)
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
    return [version for version, _ in versions.values()]


def _allot_free_units(versions: list[_Version]) -> _Sums:
    """Set which units of each charge are free; return the period's billable units by charge.

    A charge's own included units go first, then the pools; what a version used of them is gone
    for a later version of the same plan.
    """
    had: _Sums = defaultdict(Decimal)
    drawn: _Sums = defaultdict(Decimal)
    totals: _Sums = defaultdict(Decimal)
    for version in versions:
        plan, used = version.plan, version.used
        for charge in plan.charges:
            if isinstance(charge, FlatCharge) or charge.id not in used:
                continue
            own = max(charge.included - had[plan.id, charge.id], _ZERO)
            version.free[charge.id] = min(own, used[charge.id])
            had[plan.id, charge.id] += version.free[charge.id]
        for pool in plan.pools:
            for charge_id in pool.charges:
                wanted = used.get(charge_id, _ZERO) - version.free.get(charge_id, _ZERO)
                taken = min(wanted, max(pool.quantity - drawn[plan.id, pool.id], _ZERO))
                drawn[plan.id, pool.id] += taken
                if taken:
                    version.free[charge_id] += taken
        for charge_id, quantity in used.items():
            totals[plan.id, charge_id] += quantity - version.free[charge_id]
    return totals


def _lines(version: _Version, currency: str, before: _Sums, totals: _Sums) -> Iterable[RatedLine]:
    for charge in version.plan.charges:
        if isinstance(charge, FlatCharge):
            quantity, free = Decimal(1), _ZERO
            priced = PricedUnits(prorate(charge.price, version.share))
        elif quantity := version.used.get(charge.id, _ZERO):
            key = (version.plan.id, charge.id)
            free = version.free[charge.id]
            priced = price_units(charge, before[key], quantity - free, totals[key])
            before[key] += quantity - free
        else:
            continue
        yield RatedLine(
            charge,
            version.plan.id,
            version.version,
            version.start,
            version.end,
            quantity,
            free,
            quantity - free,
            priced.tiers,
            priced.amount,
            round_to_minor_unit(priced.amount, currency),
        )
