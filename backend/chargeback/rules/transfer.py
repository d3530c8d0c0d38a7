"""What a cost center is charged for its costs. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from backend.chargeback.rules.timeline import Reign
from backend.pricing.money import ZERO, round_to_minor_unit
from backend_client.types.chargeback import PriceKind, SharedCost


def transfer_price(
    cost: Decimal, shared: SharedCost | None, code: str, reign: Reign, currency: str
) -> Decimal:
    """Return what a cost center is charged for a part of a line, rounded half up."""
    if reign.policy is None:
        return cost
    unit = reign.tree.units.get(code)
    terms = (unit and unit.transfer) or reign.policy.transfer
    match terms.price:
        case PriceKind.COST:
            return cost
        case PriceKind.COST_PLUS:
            return round_to_minor_unit(cost * (100 + terms.percent) / 100, currency)
        case PriceKind.LIST:
            return ZERO if shared is SharedCost.REDUCTION else cost
        case _:
            assert_never(terms.price)
