"""A customer's plan and prices as its page shows them. Plain functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend_client.types.charges import (
    Charge,
    FlatCharge,
    PercentageCharge,
    Tier,
    TieredCharge,
)
from backend_client.types.common import plain
from backend_client.types.contracts import Contract, PrepaidTerms, RedeemedCoupon
from backend_client.types.plan_terms import ChargePrices, OwnPrice
from backend_client.types.plans import Plan, PlanDefinition
from backend_client.types.subscriptions import Subscription, SubscriptionState
from portal.features.customer.forms import REST
from portal.kit.facts import FactRow
from portal.kit.formatting import compact, count, date, exact_money
from portal.kit.prices import often, priced_units

STATES = {
    SubscriptionState.ACTIVE: "Active",
    SubscriptionState.TRIAL: "On trial",
    SubscriptionState.PAUSED: "Paused",
}


@dataclass(frozen=True)
class ChargeRow:
    """A charge with its price in the plan and the customer's own; ``field`` is its in the form."""

    field: str
    name: str
    unit: str
    listed: str
    own: str
    written: str
    tiered: bool


@dataclass(frozen=True)
class AgreementRow:
    """A coupon or a contract."""

    name: str
    what: str
    start: str
    end: str


def plan_facts(subscription: Subscription, time_zone: str) -> list[FactRow]:
    """What the customer is subscribed to, a line each."""
    plan = subscription.plan
    own = f", with own prices on version {plan.base_version}" if plan.own_prices else ""
    facts = [
        FactRow("Plan", f"{plan.definition.name} (version {plan.version}{own})"),
        FactRow("State", STATES[subscription.state]),
        FactRow("Since", date(subscription.start, time_zone)),
        FactRow("Seats", count(subscription.seats)),
    ]
    if subscription.add_ons:
        chosen = (f"{number} × {name}" for name, number in subscription.add_ons.items())
        facts.append(FactRow("Add-ons", ", ".join(chosen)))
    if subscription.end is not None:
        following = subscription.next_plan
        then = "then it ends"
        if following is not None:
            prices = " with own prices" if following.own_prices else ""
            then = f"then {following.definition.name}{prices}"
        facts.append(FactRow("Until", f"{date(subscription.end, time_zone)}, {then}"))
    return facts


def charge_rows(listed: PlanDefinition, plan: Plan, currency: str) -> list[ChargeRow]:
    """The charges of a plan with what the list says and what was agreed.

    ``listed`` is the plan as it is on sale, ``plan`` as the customer has it.
    """
    own = {price.id: price for price in plan.own_prices}
    return [_row(charge, own.get(charge.id), currency) for charge in charges_in(listed, currency)]


def charges_in(plan: PlanDefinition, currency: str) -> Sequence[Charge]:
    """The plan's charges at its list prices in a currency."""
    listed = next((prices for prices in plan.price_lists if prices.currency == currency), None)
    if listed is None:
        return plan.charges
    by_id = {prices.id: prices for prices in listed.charges}
    return [_listed(charge, by_id.get(charge.id)) for charge in plan.charges]


def _listed(charge: Charge, prices: ChargePrices | None) -> Charge:
    if prices is None:
        return charge
    given = {"price": prices.price, "tiers": prices.tiers}
    changes = {name: value for name, value in given.items() if value is not None}
    return charge.model_copy(update=changes)


def coupon_row(redeemed: RedeemedCoupon, time_zone: str) -> AgreementRow:
    """A coupon that was redeemed."""
    coupon = redeemed.coupon
    off = (
        f"{plain(coupon.percent)}% off"
        if coupon.percent is not None
        else f"{exact_money(coupon.amount, coupon.currency)} off"
        if coupon.amount is not None and coupon.currency is not None
        else ""
    )
    end = "Every period" if redeemed.ends_at is None else date(redeemed.ends_at, time_zone)
    return AgreementRow(coupon.name, off, date(redeemed.starts_at, time_zone), end)


def contract_row(contract: Contract, currency: str, time_zone: str) -> AgreementRow:
    """A contract with its term."""
    terms = contract.terms
    what = [
        "a commitment" if terms.commitment else "",
        _prepaid(contract, terms.prepaid, currency) if terms.prepaid else "",
        "service levels" if terms.service_levels else "",
        f"{terms.net_days} days to pay" if terms.net_days is not None else "",
        "renews" if contract.renews else "",
        f"then the plan {terms.then_plan}" if terms.then_plan else "",
    ]
    summary = ", ".join(part for part in what if part).capitalize()
    return AgreementRow(
        terms.name, summary, date(contract.start, time_zone), date(contract.end, time_zone)
    )


def _prepaid(contract: Contract, prepaid: PrepaidTerms, currency: str) -> str:
    """What is paid ahead, how it is asked for and was so far, and what becomes of the rest."""
    number = len(prepaid.instalments or ())
    times = f"{number} instalments" if number > 1 else "one instalment"
    how = f"an invoice each {prepaid.every}" if prepaid.every else times
    parts = [f"{exact_money(prepaid.amount, currency)} prepaid by {how}"]
    if contract.instalments:
        asked = sum(instalment.invoice_id is not None for instalment in contract.instalments)
        parts.append(f"{asked} of {len(contract.instalments)} asked for")
    if prepaid.rollover_percent is not None and prepaid.rollover_months is not None:
        months = "a month" if prepaid.rollover_months == 1 else f"{prepaid.rollover_months} months"
        parts.append(f"{plain(prepaid.rollover_percent)}% of what is left stays for {months}")
    return ", ".join(parts)


def _row(charge: Charge, own: OwnPrice | None, currency: str) -> ChargeRow:
    return ChargeRow(
        field=f"{charge.priced_by}:{charge.id}",
        name=charge.name,
        unit=often(charge.cadence) if isinstance(charge, FlatCharge) else priced_units(charge),
        listed=_price(charge, currency),
        own="" if own is None else _own(own, currency),
        written="" if own is None else _written(own),
        tiered=charge.priced_by == "tiers",
    )


def _price(charge: Charge, currency: str) -> str:
    if isinstance(charge, TieredCharge):
        return _tiers(charge.tiers, currency)
    if isinstance(charge, PercentageCharge):
        return f"{plain(charge.percent)}%"
    return exact_money(charge.price, currency)


def _own(price: OwnPrice, currency: str) -> str:
    parts = []
    if price.price is not None:
        parts.append(exact_money(price.price, currency))
    if price.percent is not None:
        parts.append(f"{plain(price.percent)}%")
    if price.tiers is not None:
        parts.append(_tiers(price.tiers, currency))
    if price.included is not None:
        parts.append(f"{count(price.included)} included")
    return ", ".join(parts)


def _written(price: OwnPrice) -> str:
    if price.tiers is not None:
        return "\n".join(
            f"{REST if tier.up_to is None else plain(tier.up_to)} {plain(tier.price)}"
            for tier in price.tiers
        )
    value = price.price if price.price is not None else price.percent
    return "" if value is None else plain(value)


def _tiers(tiers: Sequence[Tier], currency: str) -> str:
    return ", ".join(
        f"{exact_money(tier.price, currency)} "
        + ("above" if tier.up_to is None else f"to {compact(tier.up_to)}")
        for tier in tiers
    )
