"""A plan as one tenant pays for it, at the prices that were agreed with it. Pure.

Charges are named by id and keep everything else, such as meters, models and windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from pydantic import ValidationError

from backend.pricing.charges.price_lists import in_currency
from backend.pricing.errors import OwnPriceNotUsable
from backend_client.types.charges import Charge, FlatCharge
from backend_client.types.plan_terms import OwnPrice
from backend_client.types.plans import PlanDefinition
from backend_client.types.problems import FieldError


def with_own_prices(
    plan: PlanDefinition, currency: str, prices: Sequence[OwnPrice]
) -> PlanDefinition:
    """Return the plan with a tenant's own ``prices``, in its ``currency`` alone.

    Raises ``ValueError`` if the plan has no prices in the currency; ``OwnPriceNotUsable``, which
    names the field, for a charge that is not the plan's or is named twice, for a price of another
    kind than the charge's, and where the plan would not be one any more.
    """
    listed = in_currency(plan, currency)
    _check(listed, prices)
    own = {price.id: price for price in prices}
    charges = [
        charge.model_copy(update=_changes(own[charge.id])) if charge.id in own else charge
        for charge in listed.charges
    ]
    priced = listed.model_copy(update={"charges": charges, "price_lists": []})
    try:
        return PlanDefinition.model_validate(priced.model_dump())
    except ValidationError as error:
        raise OwnPriceNotUsable.of_field("prices", str(error.errors()[0]["msg"])) from error


def _check(plan: PlanDefinition, prices: Sequence[OwnPrice]) -> None:
    charges = {charge.id: charge for charge in plan.charges}
    for place, price in enumerate(prices):
        charge = charges.pop(price.id, None)
        if charge is None:
            raise _problem(place, f"plan {plan.id!r} has no other charge {price.id!r}", "id")
        wanted = charge.priced_by
        given = _changes(price).keys() - {"included"}
        if given - {wanted}:
            raise _problem(place, f"charge {charge.id!r} needs {wanted}", given.pop())
        if price.included is not None:
            _check_included(charge, price.included, place)


def _check_included(charge: Charge, included: Decimal, place: int) -> None:
    if isinstance(charge, FlatCharge) and included != included.to_integral_value():
        raise _problem(place, f"charge {charge.id!r} includes whole seats", "included")


def _changes(price: OwnPrice) -> dict[str, object]:
    given = {
        "price": price.price,
        "tiers": price.tiers,
        "percent": price.percent,
        "included": price.included,
    }
    return {name: value for name, value in given.items() if value is not None}


def _problem(place: int, detail: str, field: str) -> OwnPriceNotUsable:
    at = FieldError(field=f"prices.{place}.{field}", detail=detail)
    return OwnPriceNotUsable(f"There is a mistake: {detail}.", errors=[at])
