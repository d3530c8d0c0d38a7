"""What a plan gives free of charge: included units, pools, free tiers, amounts off. Pure.

It comes with the part of the period that the plan covers, as the plan's fees do. A tenant that
takes a plan for a quarter of an hour pays that part of its fee, and has that part of what it
includes; else the fee of a minute would buy what a month's fee is for.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from backend.pricing.money import ZERO, decimals_of, prorate, rounded_down
from backend.pricing.rating.versions import CoveredVersion
from backend_client.types.charges import (
    FlatCharge,
    Tier,
    TieredCharge,
    UsageCharge,
)

Kind = Literal["charge", "pool", "discount"]
_Key = tuple[str, Kind, str]
"""A series of plan versions, and what of theirs gives something."""
_Totals = defaultdict[tuple[str, str], Decimal]


class Allowances:
    """What each plan of a period gives, by how much of the period its versions cover together.

    A later version of a plan has what the earlier ones left. Units are rounded down to the decimals
    that the plan writes them with, so that whole tokens stay whole; amounts are not rounded.
    """

    def __init__(self, versions: Iterable[CoveredVersion]) -> None:
        self._earned: defaultdict[_Key, Fraction] = defaultdict(Fraction)
        self._decimals: defaultdict[_Key, int] = defaultdict(int)
        self._free_tiers: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
        for version in versions:
            for charge in version.plan.charges:
                if isinstance(charge, TieredCharge) and (free := _free_until(charge.tiers)):
                    whole = Fraction(free)
                    self._free_tiers[version.series, charge.id] += whole * version.share
                if not isinstance(charge, FlatCharge):
                    units, each = charge.included, charge.included_per_seat
                    self._add(version, "charge", charge.id, units, each)
            for pool in version.plan.pools:
                self._add(version, "pool", pool.id, pool.quantity, pool.quantity_per_seat)
            for discount in version.plan.discounts:
                self._add(version, "discount", discount.id, discount.amount or ZERO)

    def _add(
        self, version: CoveredVersion, kind: Kind, of: str, whole: Decimal, per_seat: Decimal = ZERO
    ) -> None:
        if not whole and not per_seat:
            return
        key = (version.series, kind, of)
        earned = Fraction(whole) * version.share + Fraction(per_seat) * version.seats
        self._earned[key] += earned
        self._decimals[key] = max(self._decimals[key], decimals_of(whole), decimals_of(per_seat))

    def of(self, version: CoveredVersion, kind: Kind, of: str) -> Decimal:
        """Return the units or the amount that all of a plan's versions give together."""
        key = (version.series, kind, of)
        if kind == "discount":
            return prorate(Decimal(1), self._earned[key])
        return rounded_down(self._earned[key], self._decimals[key])

    def with_tiers(self, version: CoveredVersion, charge: UsageCharge) -> UsageCharge:
        """Return a charge whose first tiers, where they cost nothing, end as early as is due.

        All of a plan's versions earn them together, each with its part of the period, so that one
        that is taken late in it with larger ones gives no period's.
        """
        if not isinstance(charge, TieredCharge):
            return charge
        free = _free_until(charge.tiers)
        earned = self._free_tiers[version.series, charge.id] if free else ZERO
        if earned >= free:
            return charge
        tiers = _shortened(charge.tiers, Fraction(earned) / Fraction(free), charge.package_size)
        return charge.model_copy(update={"tiers": tiers})


def _free_until(tiers: Sequence[Tier]) -> Decimal:
    """Return the last unit of the first tiers that cost nothing: 0 if the first has a price."""
    last = ZERO
    for tier in tiers:
        if tier.price or tier.flat_fee or tier.up_to is None:
            break
        last = tier.up_to
    return last


def allot_free_units(versions: Sequence[CoveredVersion], allowances: Allowances) -> _Totals:
    """Set which units of each charge are free; return billable units by series and charge.

    A charge's own included units go first, then the pools. A later version of the same plan has
    only what the earlier ones left of both.
    """
    had: defaultdict[_Key, Decimal] = defaultdict(Decimal)
    totals: _Totals = defaultdict(Decimal)
    for version in versions:
        plan, used, free, series = version.plan, version.used, version.free, version.series
        free.update(dict.fromkeys(used, ZERO))
        for charge in plan.charges:
            if isinstance(charge, FlatCharge) or charge.id not in used:
                continue
            if not charge.included and not charge.included_per_seat:
                continue
            key: _Key = (series, "charge", charge.id)
            left = allowances.of(version, "charge", charge.id) - had[key]
            free[charge.id] = min(used[charge.id], max(left, ZERO))
            had[key] += free[charge.id]
        for pool in plan.pools:
            key = (series, "pool", pool.id)
            for charge_id in pool.charges:
                wanted = used.get(charge_id, ZERO) - free.get(charge_id, ZERO)
                left = allowances.of(version, "pool", pool.id) - had[key]
                taken = min(wanted, max(left, ZERO))
                had[key] += taken
                if taken:
                    free[charge_id] += taken
        for charge_id, quantity in used.items():
            totals[series, charge_id] += quantity - free[charge_id]
    return totals


def _shortened(tiers: Sequence[Tier], share: Fraction, package_size: int | None) -> list[Tier]:
    shortened = list(tiers)
    for place, tier in enumerate(tiers):
        if tier.price or tier.flat_fee or tier.up_to is None:
            break
        due = Fraction(tier.up_to) * share
        if package_size is None:
            up_to = rounded_down(due, decimals_of(tier.up_to))
        else:
            up_to = Decimal(math.floor(due / package_size) * package_size)
        shortened[place] = tier.model_copy(update={"up_to": up_to})
    return shortened
