"""Which charge of a plan prices what was used. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, product
from typing import Final

from backend_client.types.charges import FlatCharge, UsageCharge
from backend_client.types.plans import PlanDefinition

FALLBACK_METERS: Final = {
    "cached_input_tokens": "input_tokens",
    "reasoning_tokens": "output_tokens",
}
"""The meter whose charge prices the given one where a plan has no charge for the meter itself."""

Labels = tuple[tuple[str, str], ...]
"""Names and values of the labels that usage was counted by, sorted by name."""


@dataclass(frozen=True, slots=True)
class MeteredQuantity:
    """How much of a meter a model used. Equal ones add up.

    ``window`` is the plan's time window that it was used in; see ``windows.cut_at_windows``.
    ``labels`` are those that the plan prices by; others may be left out.
    """

    model: str
    meter: str
    quantity: Decimal
    window: str | None = None
    labels: Labels = ()


class RateCard:
    """Finds a plan's charges, and caches what it finds."""

    def __init__(self, plan: PlanDefinition) -> None:
        self._charges: defaultdict[tuple[str, str | None], list[UsageCharge]] = defaultdict(list)
        for charge in plan.charges:
            if not isinstance(charge, FlatCharge):
                models: Sequence[str | None] = charge.models or (None,)
                for meter, model in product(charge.meters, models):
                    self._charges[meter, model].append(charge)
        # The more a charge says of what it prices, the earlier it is asked
        for charges in self._charges.values():
            charges.sort(key=lambda charge: (-len(charge.labels), charge.window is None))
        self._cache: dict[tuple[str, str, str | None, Labels], UsageCharge | None] = {}

    def charge_for(
        self, model: str, meter: str, window: str | None = None, labels: Labels = ()
    ) -> UsageCharge | None:
        """Return the charge, or None if nothing prices this.

        The meter's own charge goes before that of the meter it falls back on; then a charge that
        names the model before one for all models; then one that names more labels before one with
        fewer; then one for the window before one for any time.
        """
        key = (model, meter, window, labels)
        if key not in self._cache:
            charge = self._look_up(model, meter, window, labels)
            if charge is None and meter in FALLBACK_METERS:
                charge = self._look_up(model, FALLBACK_METERS[meter], window, labels)
            self._cache[key] = charge
        return self._cache[key]

    def _look_up(
        self, model: str, meter: str, window: str | None, labels: Labels
    ) -> UsageCharge | None:
        named = self._charges.get((meter, model), [])
        for charge in chain(named, self._charges.get((meter, None), [])):
            if charge.window is not None and charge.window != window:
                continue
            if not charge.labels or charge.labels.items() <= dict(labels).items():
                return charge
        return None
