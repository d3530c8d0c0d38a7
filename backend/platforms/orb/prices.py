"""Our charges as Orb's prices, and our meters as queries over its events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from backend.pricing.money import ZERO, exact_arithmetic
from backend_client.types.charges import (
    FlatCharge,
    GraduatedCharge,
    PerUnitCharge,
    Tier,
    VolumeCharge,
)
from backend_client.types.common import plain

Fitting = FlatCharge | PerUnitCharge | GraduatedCharge | VolumeCharge
Body = dict[str, Any]

HOURS: Final = "hour_floor_timestamp_millis(timestamp_millis)"
"""The computed property by which Orb adds usage up by the hour."""


def unit_price(price: Decimal, unit_size: int) -> Decimal:
    """Return what a single unit costs; unit sizes are powers of ten, so that it is exact."""
    with exact_arithmetic():
        return price / unit_size


def number(value: Decimal) -> int | float:
    """Return a number that JSON writes with the same digits; raise ``ValueError`` if none does."""
    if value == value.to_integral_value():
        return int(value)
    inexact = float(value)
    if Decimal(repr(inexact)) != value:
        raise ValueError(f"{plain(value)} has more digits than a number of Orb's.")
    return inexact


def event_name(meter: str) -> str:
    """Return the name of Orb's events for one of our meters."""
    return f"fb_{meter}"


def metric_sql(pairs: Sequence[tuple[str, str]]) -> str:
    """Return the query of a metric that adds up meters of models."""
    each = [
        f"(event_name = {_quoted(event_name(meter))} AND model = {_quoted(model)})"
        for meter, model in pairs
    ]
    # Orb runs it over the events of a customer and no more; names are quoted above
    return f"SELECT SUM(quantity) FROM events WHERE {' OR '.join(each)}"  # noqa: S608


def price_body(charge: Fitting, item_id: str, metric_id: str | None) -> Body:
    """Return a charge as a price of a plan: what a metric counts, or a fee of the month."""
    body: Body = {
        "name": charge.name,
        "item_id": item_id,
        "cadence": "monthly",
        **price_model(charge),
    }
    if metric_id is None:
        return body | {"fixed_price_quantity": 1, "billed_in_advance": False}
    return body | {"billable_metric_id": metric_id}


def price_model(charge: Fitting) -> Body:
    """Return how a charge is priced, in Orb's words."""
    match charge:
        case FlatCharge():
            return _per_unit(charge.price)
        case PerUnitCharge() if not charge.included:
            return _per_unit(unit_price(charge.price, charge.unit_size))
        case VolumeCharge():
            tiers = [
                {
                    "maximum_units": None if tier.up_to is None else number(tier.up_to),
                    "unit_amount": plain(unit_price(tier.price, charge.unit_size)),
                }
                for tier in charge.tiers
            ]
            return {"model_type": "bulk", "bulk_config": {"tiers": tiers}}
        case PerUnitCharge():
            return _tiered(charge, [Tier(up_to=None, price=charge.price)])
        case GraduatedCharge():
            return _tiered(charge, charge.tiers)


def counted_body(metric_id: str, item_id: str, currency: str) -> Body:
    """Return a price by which Orb is asked how much it counted: a unit costs one."""
    return {
        **_per_unit(Decimal(1)),
        "name": "Counted",
        "item_id": item_id,
        "billable_metric_id": metric_id,
        "cadence": "monthly",
        "currency": currency,
    }


def _per_unit(price: Decimal) -> Body:
    return {"model_type": "unit", "unit_config": {"unit_amount": plain(price)}}


def _tiered(charge: PerUnitCharge | GraduatedCharge, tiers: Sequence[Tier]) -> Body:
    """Return tiers whose bounds count the included units too, which are the first tier, free."""
    floor = ZERO
    bodies: list[Body] = []
    if charge.included:
        floor = charge.included
        bodies.append({"first_unit": 0, "last_unit": number(floor), "unit_amount": "0"})
    for tier in tiers:
        last = None if tier.up_to is None else tier.up_to + charge.included
        bodies.append(
            {
                "first_unit": number(floor),
                "last_unit": None if last is None else number(last),
                "unit_amount": plain(unit_price(tier.price, charge.unit_size)),
            }
        )
        floor = last or floor
    return {"model_type": "tiered", "tiered_config": {"tiers": bodies}}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
