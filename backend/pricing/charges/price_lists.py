"""A plan's prices in another currency, as they were set for it. Nothing is ever converted. Pure."""

from __future__ import annotations

from decimal import Decimal

from backend_client.types.charges import Charge, FlatCharge
from backend_client.types.plan_terms import ChargePrices, Discount, GrantTerms, PriceList
from backend_client.types.plans import PlanDefinition


def in_currency(plan: PlanDefinition, currency: str) -> PlanDefinition:
    """Return the plan as it is sold in ``currency``.

    Raises ``ValueError`` if it has no price list in it.
    """
    if plan.currency == currency:
        return plan
    for prices in plan.price_lists:
        if prices.currency == currency:
            break
    else:
        raise ValueError(f"plan {plan.id} has no prices in {currency}")
    by_charge = {listed.id: listed for listed in prices.charges}
    return plan.model_copy(
        update={
            "currency": currency,
            "charges": [_charge(charge, by_charge.get(charge.id)) for charge in plan.charges],
            "discounts": [
                _discount(discount, prices.discounts.get(discount.id))
                for discount in plan.discounts
            ],
            "minimum": prices.minimum,
            "maximum": prices.maximum,
            "trial_amount": prices.trial_amount,
            "grants": [_grant(grant, prices) for grant in plan.grants],
            "price_lists": [],
        }
    )


def _charge(charge: Charge, prices: ChargePrices | None) -> Charge:
    if prices is None:
        return charge
    update: dict[str, object] = {}
    # A part of money is the same in any currency
    if charge.priced_by != "percent":
        update[charge.priced_by] = {"price": prices.price, "tiers": prices.tiers}[charge.priced_by]
    if not isinstance(charge, FlatCharge):
        update |= {"minimum": prices.minimum, "maximum": prices.maximum}
    return charge.model_copy(update=update)


def _grant(grant: GrantTerms, prices: PriceList) -> GrantTerms:
    cap = prices.rollover_caps.get(grant.id, Decimal(0))
    return grant.model_copy(update={"amount": prices.grants[grant.id], "rollover_cap": cap})


def _discount(discount: Discount, amount: object) -> Discount:
    return discount if discount.amount is None else discount.model_copy(update={"amount": amount})
