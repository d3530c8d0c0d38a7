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
from typing import Final

from backend.pricing.charges import PricedQuantity, PricedTier, UsageCharge, price_quantity
from backend.pricing.money import exact_arithmetic, prorate, round_to_minor_unit
from backend.pricing.periods import BillingPeriod
from backend_client.types.plans import Charge, FlatCharge, PlanDefinition

FALLBACK_METERS: Final = {
    "cached_input_tokens": "input_tokens",
    "reasoning_tokens": "output_tokens",
}
"""The meter whose charge prices another one, if a plan has no charge for that itself."""

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class MeteredQuantity:
    """How much of a meter a model used. Several of the same model and meter add up."""

    model: str
    meter: str
    quantity: Decimal


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
    """A period's lines. ``total`` sums the rounded lines, ``exact_total`` the unrounded ones."""

    currency: str
    lines: tuple[RatedLine, ...]
    unpriced: tuple[MeteredQuantity, ...]
    exact_total: Decimal
    total: Decimal


class RateCard:
    """Which charge of a plan prices a model's meter."""

    def __init__(self, plan: PlanDefinition) -> None:
        self._charges: dict[tuple[str, str | None], UsageCharge] = {}
        for charge in plan.charges:
            if isinstance(charge, FlatCharge):
                continue
            models: Sequence[str | None] = charge.models or (None,)
            for meter in charge.meters:
                for model in models:
                    self._charges[meter, model] = charge

    def charge_for(self, model: str, meter: str) -> UsageCharge | None:
        """Return the charge, or None if nothing prices this.

        A charge that names the model goes before one for all models, and the meter's own charge
        before that of the meter it falls back on.
        """
        charges = self._charges
        own = charges.get((meter, model)) or charges.get((meter, None))
        if own is not None or (fallback := FALLBACK_METERS.get(meter)) is None:
            return own
        return charges.get((fallback, model)) or charges.get((fallback, None))


@dataclass(slots=True)
class _Version:
    """All that a billing period holds of one plan version, over all its stretches."""

    plan: PlanDefinition
    version: int
    start: datetime
    end: datetime
    share: Fraction = Fraction(0)
    used: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


def rate(stretches: Iterable[Stretch], period: BillingPeriod, currency: str) -> RatedPeriod:
    """Rate a billing period.

    Each stretch's usage is priced by its own plan. All stretches of one plan version make one line
    a charge, however they are cut. A later version of the same plan goes on counting where the
    earlier one stopped: included units and tiers are had once a period. Flat fees are prorated by
    the second. Raises ``ValueError`` for a plan in another currency or a negative quantity.
    """
    with exact_arithmetic():
        unpriced: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        versions = _by_version(stretches, period, currency, unpriced)
        lines: list[RatedLine] = []
        counted: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for version in versions:
            lines.extend(_lines(version, currency, counted))
        return RatedPeriod(
            currency,
            tuple(lines),
            tuple(MeteredQuantity(*key, quantity) for key, quantity in sorted(unpriced.items())),
            sum((line.exact for line in lines), _ZERO),
            sum((line.amount for line in lines), round_to_minor_unit(_ZERO, currency)),
        )


def _by_version(
    stretches: Iterable[Stretch],
    period: BillingPeriod,
    currency: str,
    unpriced: defaultdict[tuple[str, str], Decimal],
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
            charge = card.charge_for(metered.model, metered.meter) if card else None
            if charge is not None:
                version.used[charge.id] += metered.quantity
            elif metered.quantity:
                unpriced[metered.model, metered.meter] += metered.quantity
    return [version for version, _ in versions.values()]


def _lines(
    version: _Version, currency: str, counted: defaultdict[tuple[str, str], Decimal]
) -> Iterable[RatedLine]:
    for charge in version.plan.charges:
        if isinstance(charge, FlatCharge):
            fee = prorate(charge.price, version.share)
            share = Decimal(1)
            priced = PricedQuantity(share, _ZERO, share, (), fee)
        elif quantity := version.used.get(charge.id):
            before = counted[version.plan.id, charge.id]
            counted[version.plan.id, charge.id] += quantity
            priced = price_quantity(charge, before, quantity)
        else:
            continue
        yield RatedLine(
            charge,
            version.plan.id,
            version.version,
            version.start,
            version.end,
            priced.quantity,
            priced.included,
            priced.billable,
            priced.tiers,
            priced.amount,
            round_to_minor_unit(priced.amount, currency),
        )
