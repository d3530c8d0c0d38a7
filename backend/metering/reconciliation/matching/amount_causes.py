"""The likely cause of a difference in money, where the quantities agree. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from backend.metering.reconciliation.exports.parsing import ALL, Sums
from backend.metering.reconciliation.matching.evidence import (
    Difference,
    Evidence,
    Explained,
    percent,
)
from backend.metering.reconciliation.meters import CACHED, INPUT, NOT_USAGE, Place
from backend_client.types.common import plain
from backend_client.types.reconciliation import DiscrepancyCause as Cause


def cause_of_amount(
    place: Place,
    amount: Decimal,
    expected: Decimal | None,
    provided: Mapping[Place, Sums],
    metered: Mapping[Place, Decimal],
    difference: Difference | None,
    evidence: Evidence,
) -> Explained:
    """Name the likely cause of a difference in money."""
    day, model, meter = place
    if meter in NOT_USAGE:
        return (Cause.NOT_USAGE, "A credit, refund, tax or fee: no usage is behind it.")
    if expected is None:
        return (Cause.NO_RATE, f"There is no known rate for all that {model} used on {day}.")
    if expected == 0 and not _is_metered(place, metered):
        return (Cause.MISSING_EVENTS, "It is billed, and Farebox has no usage of this day for it.")
    if difference is not None:
        return (Cause.QUANTITY_DIFFERS, "The quantities differ already; see there.")
    quantity = metered.get(place)
    sums = provided.get(place)
    rate = evidence.rate(day, model, meter)
    if meter == CACHED and amount > expected and quantity:
        fresh = evidence.rate(day, model, INPUT)
        if fresh is not None and _about(amount, quantity * fresh):
            return (
                Cause.CACHED_AS_FRESH,
                f"It is what {plain(quantity)} tokens cost as fresh input.",
            )
    if meter == INPUT and amount > expected:
        cached = metered.get((day, model, CACHED), Decimal(0))
        if cached and rate is not None and _about(amount, expected + cached * rate):
            return (
                Cause.CACHED_AS_FRESH,
                f"It is what the input costs if {plain(cached)} cached tokens are priced as fresh.",
            )
    if expected == 0 or not quantity or rate is None:
        return (Cause.UNKNOWN, "Nothing in the numbers shows why.")
    if sums is not None and sums.quantity is None and not _same_rate(place, provided, metered):
        return (Cause.UNKNOWN, "The amount fits neither the known rate nor one of other days.")
    paid = amount / expected
    return (
        Cause.RATE_CHANGE,
        f"The quantity at the known rate costs {percent(abs(paid - 1))} "
        f"{'less' if paid > 1 else 'more'} than was billed: "
        f"{_money(amount / quantity * 1_000_000)} for a million, not {_money(rate * 1_000_000)}.",
    )


def _is_metered(place: Place, metered: Mapping[Place, Decimal]) -> bool:
    """Return whether there is usage of that day; a model or meter ``*`` is any."""
    day, model, meter = place
    return any(
        quantity and when == day and model in (ALL, which) and meter in (ALL, what)
        for (when, which, what), quantity in metered.items()
    )


def _same_rate(
    place: Place, provided: Mapping[Place, Sums], metered: Mapping[Place, Decimal]
) -> bool:
    """Return whether a neighboring day had the same unit price, or there is none."""
    day, model, meter = place
    own = provided[place].amount or Decimal(0)
    quantity = metered[place]
    others = []
    for step in (-1, 1):
        near = (day + timedelta(days=step), model, meter)
        sums, used = provided.get(near), metered.get(near)
        if sums is not None and sums.amount is not None and used:
            others.append(_about(own * used, sums.amount * quantity))
    return any(others) or not others


def _about(amount: Decimal, other: Decimal) -> bool:
    return abs(amount - other) <= Decimal("0.01") * max(amount, other)


def _money(value: Decimal) -> str:
    return plain(value.quantize(Decimal("0.0001")))
