"""What one call of a prepaid plan costs. Exact and pure: nothing here rounds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from backend.pricing.charges.kinds import price_units
from backend.pricing.charges.rate_card import FALLBACK_METERS, Labels, RateCard
from backend.pricing.charges.windows import cut_at_windows
from backend.pricing.money import ZERO, exact_arithmetic
from backend.pricing.periods import quarter_hour_of
from backend_client.types.plans import PlanDefinition


class CallCosts:
    """Prices calls by a prepaid plan, whose charges have one price whatever was used before."""

    def __init__(self, plan: PlanDefinition) -> None:
        if not plan.prepaid:
            raise ValueError(f"plan {plan.id} is not prepaid: a call's price hangs on the period")
        self._plan = plan
        self._card = RateCard(plan)

    def cost(
        self,
        model: str,
        quantities: Mapping[str, Decimal],
        at: datetime,
        labels: Labels = (),
    ) -> Decimal:
        """Return what a call at ``at`` costs, unrounded, as the bill's lines will sum it."""
        quarter = quarter_hour_of(at)
        (quarter_hour,) = cut_at_windows(self._plan, quarter, quarter + timedelta(minutes=15))
        total = ZERO
        with exact_arithmetic():
            for meter, quantity in quantities.items():
                charge = self._card.charge_for(model, meter, quarter_hour.window, labels)
                if charge is not None:
                    total += price_units(charge, ZERO, quantity, quantity).amount
        return total

    def greatest(
        self,
        model: str,
        most: Mapping[str, Decimal],
        at: datetime,
        labels: Labels = (),
    ) -> Decimal:
        """Return the most that a call of ``most`` units by meter can cost.

        Input may turn out to be cached, and output to be reasoning, which can cost more.
        """
        total = ZERO
        with exact_arithmetic():
            for meter, quantity in most.items():
                possible = (
                    meter,
                    *(part for part, whole in FALLBACK_METERS.items() if whole == meter),
                )
                total += max(
                    self.cost(model, {counted_as: quantity}, at, labels) for counted_as in possible
                )
        return total
