"""Which charge of a plan prices what was used. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, product
from typing import Final

from backend_client.types.charges import FlatCharge, UsageCharge
from backend_client.types.plans import PlanDefinition

FALLBACK_METERS: Final = {
    "cached_input_tokens": "input_tokens",
    "cache_write_tokens": "input_tokens",
    "cache_write_1h_tokens": "cache_write_tokens",
    "audio_input_tokens": "input_tokens",
    "image_input_tokens": "input_tokens",
    "reasoning_tokens": "output_tokens",
    "audio_output_tokens": "output_tokens",
    "image_output_tokens": "output_tokens",
}
"""The meter whose charge prices the given one where a plan has no charge for the meter itself."""
OTHER_MEDIA: Final = frozenset(
    {"audio_input_tokens", "image_input_tokens", "audio_output_tokens", "image_output_tokens"}
)
"""Meters of tokens that only a call with sound or pictures can use."""


def priced_by(meter: str) -> Iterator[str]:
    """Yield the meter and those whose charges price it, the first that a plan has one for."""
    yield meter
    while meter in FALLBACK_METERS:
        meter = FALLBACK_METERS[meter]
        yield meter


def parts_of(meter: str) -> list[str]:
    """Return the meters whose usage the meter's charge can price, beside its own."""
    return [part for part in FALLBACK_METERS if part != meter and meter in priced_by(part)]


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


@dataclass(frozen=True, slots=True)
class AttributedQuantity:
    """A quantity with the application and the key (empty for none) that it was used by."""

    application: str
    key: str
    metered: MeteredQuantity


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
            charges = (self._look_up(model, each, window, labels) for each in priced_by(meter))
            self._cache[key] = next((charge for charge in charges if charge is not None), None)
        return self._cache[key]

    def charges_for(self, model: str, meter: str) -> list[UsageCharge]:
        """Return the charges that can price a meter of a model, in the order they are asked in.

        The last is the one for usage that no other names a window or labels of, if there is one.
        """
        return next(filter(None, (self._can_price(model, each) for each in priced_by(meter))), [])

    def _can_price(self, model: str, meter: str) -> list[UsageCharge]:
        charges: list[UsageCharge] = []
        for charge in chain(
            self._charges.get((meter, model), []), self._charges.get((meter, None), [])
        ):
            charges.append(charge)
            if charge.window is None and not charge.labels:
                break
        return charges

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
