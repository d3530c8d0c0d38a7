"""A plan in words: its charges, what it includes, its limits. Plain functions."""

from __future__ import annotations

from decimal import Decimal

from backend_client.types.common import plain
from backend_client.types.plans import (
    Discount,
    FlatCharge,
    PackageCharge,
    PercentageCharge,
    PerUnitCharge,
    PlanDefinition,
    Quota,
    QuotaLimit,
    UsageCharge,
)
from portal.formatting import compact, exact_money, meters_name, money, unit_price


def plan_terms(plan: PlanDefinition) -> list[str]:
    """Everything a plan charges and allows, a line each."""
    names = {charge.id: charge.name for charge in plan.charges}
    terms = [
        _flat(charge, plan.currency)
        if isinstance(charge, FlatCharge)
        else _usage(charge, plan.currency)
        for charge in plan.charges
    ]
    terms += [
        f"{compact(pool.quantity)} included: {pool.name} ({_listed(pool.charges, names)})"
        for pool in plan.pools
    ]
    terms += [_discount(discount, names, plan.currency) for discount in plan.discounts]
    if plan.minimum:
        terms.append(f"At least {money(plan.minimum, plan.currency)} a month")
    return terms + [_quota(quota) for quota in plan.quotas]


def asks_for_nothing(plan: PlanDefinition) -> bool:
    """Tell whether a plan of flat and per-unit charges costs nothing; no other kind is looked into.

    The API decides; the portal only words and times a change of plan by it.
    """
    return not plan.minimum and all(
        isinstance(charge, FlatCharge | PerUnitCharge) and not charge.price
        for charge in plan.charges
    )


def _flat(charge: FlatCharge, currency: str) -> str:
    return f"{charge.name}: {money(charge.price, currency)} a month"


def _usage(charge: UsageCharge, currency: str) -> str:
    match charge:
        case PerUnitCharge():
            price = unit_price(charge.price, charge.unit_size, currency) if charge.price else "free"
        case PackageCharge():
            size = compact(charge.package_size)
            price = f"{exact_money(charge.price, currency)} per package of {size}"
        case PercentageCharge():
            price = f"{plain(charge.percent)}%"
        case _:
            first, *_, last = charge.tiers
            price = unit_price(first.price, charge.unit_size, currency)
            if last is not first:
                price += f", down to {exact_money(min(t.price for t in charge.tiers), currency)}"
    included = f", {compact(charge.included)} included" if charge.included else ""
    return f"{charge.name}: {price}{included}"


def _discount(discount: Discount, names: dict[str, str], currency: str) -> str:
    if discount.percent is not None:
        off = f"{plain(discount.percent)}%"
    else:
        off = money(discount.amount or Decimal(0), currency)
    on = f" on {_listed(discount.charges, names)}" if discount.charges else ""
    return f"{discount.name}: {off} off{on}"


def _quota(quota: Quota) -> str:
    end = "then calls are refused" if quota.limit is QuotaLimit.HARD else "then calls go on"
    return f"{compact(quota.quantity)} {meters_name(quota.meters).lower()} a month, {end}"


def _listed(charges: list[str], names: dict[str, str]) -> str:
    return ", ".join(names.get(charge, charge) for charge in charges)
