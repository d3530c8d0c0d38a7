"""What a billing period has of one plan version, over all its stretches. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.stretches import Stretch
from backend.pricing.rating.yearly_fees import FeePart, YearlyFee
from backend_client.types.charges import Cadence, FlatCharge
from backend_client.types.plans import PlanDefinition


@dataclass(slots=True)
class CoveredVersion:
    """A plan version with the part of a period that it covers, and what was used in that part.

    ``seats`` is the sum over stretches of the seats times the share of the period. ``fees`` has
    such sums by fee for the month, of how many are asked for, and ``fee_parts`` what they are of;
    ``yearly`` has the fees that are asked for in one amount. ``free`` are the units of ``used``
    that cost nothing. Included units and tiers count on within one ``series``: a plan's versions,
    but not its trial.
    """

    plan: PlanDefinition
    version: int
    trial: bool
    start: datetime
    end: datetime
    share: Fraction = Fraction(0)
    seats: Fraction = Fraction(0)
    fees: dict[str, Fraction] = field(default_factory=dict)
    fee_parts: dict[str, list[FeePart]] = field(default_factory=dict)
    yearly: dict[str, YearlyFee] = field(default_factory=dict)
    used: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    free: dict[str, Decimal] = field(default_factory=dict)

    @property
    def series(self) -> str:
        """Whose count of included units and tiers this version goes on with."""
        return f"{self.plan.id} on trial" if self.trial else self.plan.id

    def cover(self, stretch: Stretch, period: BillingPeriod) -> None:
        """Add a stretch's time to the shares."""
        share = stretch.share(period)
        self.end = max(self.end, stretch.end)
        self.share += share
        self.seats += share * stretch.seats
        for charge in self.plan.charges:
            if isinstance(charge, FlatCharge) and (whole := _whole(charge, stretch)) is not None:
                part = FeePart(stretch.start, stretch.end, stretch.how_many(charge), share * whole)
                self.fees[charge.id] = (
                    self.fees.get(charge.id, Fraction(0)) + part.share * part.many
                )
                _append(self.fee_parts.setdefault(charge.id, []), part)


def _append(parts: list[FeePart], part: FeePart) -> None:
    """Add a time to those before it: to the last one, where it goes on with as many."""
    if not part.many or not part.share:
        return
    if parts and (last := parts[-1]).many == part.many and last.end == part.start:
        parts[-1] = FeePart(last.start, part.end, part.many, last.share + part.share)
    else:
        parts.append(part)


def _whole(charge: FlatCharge, stretch: Stretch) -> Fraction | None:
    """Return how much of a fee a whole period has; None for one that is asked in one amount."""
    if charge.cadence is Cadence.MONTH:
        return Fraction(1)
    if charge.cadence is Cadence.ONCE or stretch.trial or stretch.years_since is not None:
        return None
    return Fraction(1, charge.cadence.months)
