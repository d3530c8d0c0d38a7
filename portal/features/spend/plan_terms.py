"""A plan in words: its charges, what it includes, its limits. Plain functions."""

from __future__ import annotations

from decimal import Decimal

from backend_client.types.charges import (
    FlatCharge,
    FlatPer,
    PerUnitCharge,
    TieredCharge,
    TimeWindow,
    UsageCharge,
)
from backend_client.types.common import plain
from backend_client.types.plan_terms import Discount, GrantTerms, Quota, QuotaLimit
from backend_client.types.plans import PlanDefinition
from portal.kit.formatting import compact, exact_money, meters_name, money
from portal.kit.prices import first_units, often, priced_for
from portal.shared.bounds.words import limit_terms


def plan_terms(plan: PlanDefinition) -> list[str]:
    """Everything a plan charges and allows, a line each."""
    names = {charge.id: charge.name for charge in plan.charges}
    windows = {window.id: window for window in plan.windows}
    terms = ["Paid from credit, call by call"] if plan.prepaid else []
    if plan.trial_days:
        then = "then it ends" if plan.trial_ends else "then it goes on"
        terms.append(f"{plan.trial_days} days on trial, {then}")
        terms += [
            f"On trial up to {compact(quota.quantity)} {meters_name(quota.meters).lower()}"
            for quota in plan.trial_quotas
        ]
        if plan.trial_amount is not None:
            worth = money(plan.trial_amount, plan.currency)
            terms.append(f"On trial up to {worth} of usage, then calls are refused")
    terms += [
        _flat(charge, plan.currency)
        if isinstance(charge, FlatCharge)
        else _usage(charge, plan.currency) + _limits(charge, windows, plan.currency)
        for charge in plan.charges
    ]
    terms += [
        f"{_included(pool.quantity, pool.quantity_per_seat)} included: "
        f"{pool.name} ({_listed(pool.charges, names)})"
        for pool in plan.pools
    ]
    terms += [_grant(grant, plan.currency) for grant in plan.grants]
    terms += [_discount(discount, names, plan.currency) for discount in plan.discounts]
    if plan.minimum:
        terms.append(f"At least {money(plan.minimum, plan.currency)} a month")
    if plan.maximum is not None:
        terms.append(f"At most {money(plan.maximum, plan.currency)} a month")
    terms += [_quota(quota) for quota in plan.quotas]
    if plan.models is not None:
        terms.append(f"Models: {', '.join(plan.models)}")
    terms += limit_terms(plan.limits, plan.model_limits)
    if plan.features:
        terms.append(f"With {', '.join(feature.replace('-', ' ') for feature in plan.features)}")
    return terms


def asks_for_nothing(plan: PlanDefinition) -> bool:
    """Tell whether a plan of flat and per-unit charges costs nothing; no other kind is looked into.

    The API decides; the portal only words and times a change of plan by it.
    """
    return not plan.minimum and all(
        isinstance(charge, FlatCharge | PerUnitCharge) and not charge.price
        for charge in plan.charges
    )


def _flat(charge: FlatCharge, currency: str) -> str:
    per = {FlatPer.SEAT: " per seat", FlatPer.ADD_ON: " each, if chosen"}.get(charge.per, "")
    included = f", {charge.included} included" if charge.included else ""
    ahead = ", in advance" if charge.in_advance else ""
    price = f"{money(charge.price, currency)} {often(charge.cadence)}"
    return f"{charge.name}: {price}{per}{included}{ahead}"


def _usage(charge: UsageCharge, currency: str) -> str:
    if isinstance(charge, TieredCharge):
        first, *more = charge.tiers
        price = priced_for(first.price, charge, currency)
        if more:
            price += f", down to {exact_money(min(t.price for t in charge.tiers), currency)}"
    else:
        price = first_units(charge, currency, free="free")
    units = _included(charge.included, charge.included_per_seat)
    included = f", {units} included" if units else ""
    return f"{charge.name}: {price}{included}"


def _included(units: Decimal, per_seat: Decimal) -> str:
    """Units that are free, for the subscription and for each seat; nothing if there are none."""
    parts = [compact(units)] if units else []
    if per_seat:
        parts.append(f"{compact(per_seat)} per seat")
    return " and ".join(parts)


def _limits(charge: UsageCharge, windows: dict[str, TimeWindow], currency: str) -> str:
    """What usage a charge is for beside its meters, and how little or much it asks for."""
    limits = [f"{name} {value}" for name, value in charge.labels.items()]
    if charge.window and (window := windows.get(charge.window)):
        days = f", {', '.join(day.capitalize() for day in window.days)}" if window.days else ""
        limits.append(f"{window.start}–{window.end} {window.time_zone}{days}")
    if charge.minimum:
        limits.append(f"at least {money(charge.minimum, currency)}")
    if charge.maximum is not None:
        limits.append(f"at most {money(charge.maximum, currency)}")
    return f" ({'; '.join(limits)})" if limits else ""


def _grant(grant: GrantTerms, currency: str) -> str:
    """Credit that the plan brings, and how long it lasts."""
    often = " a month" if grant.recurs else " once"
    lasts = f", for {grant.expires_after_days} days" if grant.expires_after_days else ""
    left = f", up to {money(grant.rollover_cap, currency)} carried over"
    on = f", for {', '.join(grant.models)}" if grant.models else ""
    rollover = left if grant.recurs and grant.rollover_cap else lasts
    return f"{grant.name}: {money(grant.amount, currency)} of credit{often}{rollover}{on}"


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
