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
from backend.pricing.money import EXACT, ZERO
from backend.pricing.periods import quarter_hour_of
from backend_client.types.plans import PlanDefinition

_Priced = tuple[str, str, str | None, Labels]
"""A model, a meter, a window and labels: what a price depends on."""
_Price = tuple[Decimal, int]
"""Of how many units."""
_NOTHING: Final = (ZERO, 1)
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
        self._prices: dict[_Priced, _Price | None] = {}
        self._dearest: dict[_Priced, frozenset[_Price]] = {}
        self.priced_labels = plan.priced_labels
        """Those labels of calls that a price depends on."""

    def labels_of(self, labels: Mapping[str, str]) -> Labels:
        """Return those labels of a call that its price can depend on."""
        priced = self.priced_labels
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
        for quantity in used:
            priced = self._price_of(
                quantity.model, quantity.meter, quantity.window, quantity.labels
            )
            if priced is not None:
                total = EXACT.add(total, _worth(quantity.quantity, priced))
        return total

    def _price_of(self, *priced: *_Priced) -> _Price | None:
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
        for meter, quantity in most.items():
            dearest = self._dearest_of(model, meter, window, labels)
            total = EXACT.add(total, max(_worth(quantity, priced) for priced in dearest))
        return total

    def _dearest_of(self, *asked: *_Priced) -> frozenset[_Price]:
        """Return the prices that a meter's units can come to have, however they are counted.

        What costs nothing has the price of nothing. Calls ask for the same few again and again.
        """
        if asked not in self._dearest:
            if len(self._dearest) >= _MOST_PRICES:
                self._dearest.clear()
            model, meter, window, labels = asked
            *_, whole = priced_by(meter)
            parts = (part for part in parts_of(whole) if part not in OTHER_MEDIA)
            self._dearest[asked] = frozenset(
                self._price_of(model, counted_as, window, labels) or _NOTHING
                for counted_as in {meter, whole, *parts}
            )
        return self._dearest[asked]

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


def _worth(quantity: Decimal, priced: _Price) -> Decimal:
    """Return what units are worth; by the context itself, which takes a third of entering it."""
    price, units = priced
    return EXACT.divide(EXACT.multiply(quantity, price), units)
