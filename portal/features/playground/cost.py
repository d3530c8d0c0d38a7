"""What an answer costs while it streams: an estimate; the bill comes from what was metered."""

from __future__ import annotations

from decimal import Decimal

from backend_client.types.models import ModelInfo


def estimate(model: ModelInfo, quantities: dict[str, int]) -> Decimal | None:
    """The price of ``quantities`` by meter at the plan's (first tier's) prices.

    None when the plan prices none of them. Included units are not taken into account: what a
    call costs at the margin is what a developer compares models by.
    """
    prices = {price.meter: price for price in model.prices}
    priced = [
        (price, quantity)
        for meter, quantity in quantities.items()
        if (price := prices.get(meter)) is not None
    ]
    if not priced:
        return None
    return sum((price.price * quantity / price.unit_size for price, quantity in priced), Decimal(0))


def currency(model: ModelInfo) -> str:
    """The currency of a model's prices; dollars for one without any."""
    return model.prices[0].currency if model.prices else "USD"
