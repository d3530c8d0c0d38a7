"""What one call costs or is worth on a plan. Exact and pure: nothing here rounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from backend.pricing.charges.kinds import dearest_price
from backend.pricing.charges.rate_card import (
    OTHER_MEDIA,
    Labels,
    MeteredQuantity,
    RateCard,
    parts_of,
    priced_by,
)
from backend.pricing.charges.windows import cut_at_windows
from backend.pricing.money import ZERO, exact_arithmetic
from backend.pricing.periods import quarter_hour_of
from backend_client.types.plans import PlanDefinition

_Priced = tuple[str, str, str | None, Labels]
"""A model, a meter, a window and labels: what a price depends on."""
_MOST_PRICES: Final = 1_000
"""Labels are as many as callers think of."""


class CallValues:
    """Values calls by a plan's prices, each unit by itself, whatever was used before.

    Of tiers the dearest price counts, and units that the plan includes count as if they were paid:
    calls are never worth less than what they add to the bill by their units.
    """

    def __init__(self, plan: PlanDefinition) -> None:
        self.plan = plan
        self._card = RateCard(plan)
        self._last_window: tuple[datetime, str | None] | None = None
        self._prices: dict[_Priced, tuple[Decimal, int] | None] = {}

    def labels_of(self, labels: Mapping[str, str]) -> Labels:
        """Return those labels of a call that its price can depend on."""
        priced = self.plan.priced_labels
        return tuple(sorted((name, value) for name, value in labels.items() if name in priced))

    def greatest_of(
        self,
        model: str,
        most: Mapping[str, Decimal],
        at: datetime,
        possible: Iterable[Mapping[str, str]],
    ) -> Decimal:
        """Return the most that a call can be worth with the dearest of its ``possible`` labels."""
        alternatives = {self.labels_of(labels) for labels in possible}
        return max(self.greatest(model, most, at, labels) for labels in alternatives)

    def cost(
        self,
        model: str,
        quantities: Mapping[str, Decimal],
        at: datetime,
        labels: Labels = (),
    ) -> Decimal:
        """Return what a call at ``at`` is worth, unrounded."""
        window = self._window_at(at)
        return self.value(
            MeteredQuantity(model, meter, quantity, window, labels)
            for meter, quantity in quantities.items()
        )

    def value(self, used: Iterable[MeteredQuantity]) -> Decimal:
        """Return what usage is worth, unrounded."""
        total = ZERO
        with exact_arithmetic():
            for quantity in used:
                priced = self._price_of(
                    quantity.model, quantity.meter, quantity.window, quantity.labels
                )
                if priced is not None:
                    price, units = priced
                    total += quantity.quantity * price / units
        return total

    def _price_of(self, *priced: *_Priced) -> tuple[Decimal, int] | None:
        """Return the dearest price of a meter's units, and of how many; None if it costs nothing.

        Calls ask for the same few again and again.
        """
        if priced not in self._prices:
            if len(self._prices) >= _MOST_PRICES:
                self._prices.clear()
            charge = self._card.charge_for(*priced)
            self._prices[priced] = None if charge is None else dearest_price(charge)
        return self._prices[priced]

    def greatest(
        self,
        model: str,
        most: Mapping[str, Decimal],
        at: datetime,
        labels: Labels = (),
    ) -> Decimal:
        """Return the most that a call of ``most`` units by meter can be worth.

        Input may turn out to be cached, or written to a cache, and output to be reasoning, which
        can cost more. Where sound or pictures are possible, ``most`` has their meters instead.
        """
        total, window = ZERO, self._window_at(at)
        with exact_arithmetic():
            for meter, quantity in most.items():
                *_, whole = priced_by(meter)
                possible = {
                    meter,
                    whole,
                    *(part for part in parts_of(whole) if part not in OTHER_MEDIA),
                }
                total += max(
                    self.value([MeteredQuantity(model, counted_as, quantity, window, labels)])
                    for counted_as in possible
                )
        return total

    def _window_at(self, at: datetime) -> str | None:
        quarter = quarter_hour_of(at)
        if self._last_window is None or self._last_window[0] != quarter:
            (piece,) = cut_at_windows(self.plan, quarter, quarter + timedelta(minutes=15))
            self._last_window = quarter, piece.window
        return self._last_window[1]


class CallCosts(CallValues):
    """Prices calls by a prepaid plan, whose charges have one price: as the bill's lines sum it."""

    def __init__(self, plan: PlanDefinition) -> None:
        if not plan.prepaid:
            raise ValueError(f"plan {plan.id} is not prepaid: a call's price hangs on the period")
        super().__init__(plan)
