"""What a declared meter makes of one event. Pure, and exact."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from backend.pricing.money import ZERO, exact_arithmetic
from backend_client.types.meters import Aggregation, CatalogMeter


def value_of(
    meter: CatalogMeter, model: str, labels: Mapping[str, str], quantities: Mapping[str, Decimal]
) -> Decimal | None:
    """Return an event's value of the meter; None if it has none.

    What used nothing has no value in a sum, so that a call that failed costs no minimum. A highest
    or last value may well be 0. Each event that has the label of a unique meter has 1.
    """
    if meter.models is not None and model not in meter.models:
        return None
    if meter.labels and not meter.labels.items() <= labels.items():
        return None
    if meter.aggregation is Aggregation.UNIQUE:
        if not labels.get(meter.label or ""):
            return None
        counts = not meter.of or any(quantities.get(of) for of in meter.of)
        return Decimal(1) if counts else None
    present = [quantities[of] for of in meter.of if of in quantities]
    if not present:
        return None
    with exact_arithmetic():
        value = sum(present, ZERO)
        if meter.aggregation is not Aggregation.SUM:
            return value
        return _changed(meter, value) if value else None


def member_of(meter: CatalogMeter, labels: Mapping[str, str]) -> str:
    """Return what an event's value is of: the label's value, or nothing if all are of one."""
    return labels.get(meter.label, "") if meter.label is not None else ""


def _changed(meter: CatalogMeter, value: Decimal) -> Decimal:
    if meter.step is not None:
        whole, rest = divmod(value, meter.step)
        value = (whole + 1 if rest else whole) * meter.step
    if meter.percent is not None:
        value = value * meter.percent / 100
    value += meter.fixed
    if meter.minimum is not None:
        value = max(value, meter.minimum)
    if meter.maximum is not None:
        value = min(value, meter.maximum)
    return value
