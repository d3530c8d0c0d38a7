"""The credit that a plan brings, and what it pays of the plan's own bills. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from backend.pricing.credit.grants import Grant, GrantKind
from backend.pricing.credit.rules import RecurringGrant
from backend.pricing.credit.wallet import Wallet
from backend.pricing.money import (
    ZERO,
    decimals_of,
    minor_digits,
    rounded_down,
    whole_minor_units,
)
from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.stretches import Stretch
from backend_client.types.plan_terms import GrantTerms
from backend_client.types.plans import PlanDefinition


def recurring_grant(plan: PlanDefinition, terms: GrantTerms) -> RecurringGrant:
    """Return the rule of what a whole period brings: in arrears if calls don't use it."""
    return RecurringGrant(
        f"{plan.id}.{terms.id}",
        GrantKind.PROMOTIONAL,
        terms.amount,
        terms.rollover_cap,
        terms.priority,
        _models(terms),
        in_arrears=not plan.prepaid,
    )


def divided_amount(parts: Iterable[tuple[Decimal, Fraction]], currency: str) -> Decimal:
    """Return the sum of amounts, each times its share of the period, rounded down.

    It has the decimals of the currency, or of the amounts where these have more.
    """
    parts = list(parts)
    decimals = max(minor_digits(currency), *(decimals_of(whole) for whole, _ in parts))
    exact = sum((Fraction(whole) * share for whole, share in parts), Fraction(0))
    # As it is written, where it is whole
    return next((whole for whole, _ in parts if whole == exact), rounded_down(exact, decimals))


def single_grant(plan: PlanDefinition, terms: GrantTerms, at: datetime) -> Grant:
    """Return credit that comes once, which is usable from ``at`` on."""
    days = terms.expires_after_days
    return Grant(
        f"{plan.id}.{terms.id}",
        GrantKind.PROMOTIONAL,
        terms.amount,
        at,
        None if days is None else at + timedelta(days=days),
        terms.priority,
        _models(terms),
        in_arrears=not plan.prepaid,
    )


def paid_by_own_credit(
    plan: PlanDefinition, bills: Sequence[tuple[BillingPeriod, Decimal]]
) -> list[Decimal]:
    """Return what the plan's own credit pays of each bill; the periods follow one another.

    It is worked out as if a tenant with an empty wallet subscribed when the first period began.
    Credit for some models only is left out, since a bill does not say whose usage it is; on a
    prepaid plan that credit would pay calls.
    """
    # Calls and bills alike are paid within their period here, and what is left is known at its end
    plan = plan.model_copy(update={"prepaid": False})
    wallet, paid = Wallet(), []
    left: dict[str, Decimal] = {}
    for place, (period, total) in enumerate(bills):
        for grant in _grants_for(plan, period, left, first=place == 0):
            wallet.append(wallet.grant(grant, period.start), [grant])
        available = wallet.available_for_bill(period, period.end)
        within = min(total, whole_minor_units(available, plan.currency))
        if within > 0:
            wallet.append(wallet.pay_bill(f"bill {place}", within, period, period.end))
        paid.append(max(within, ZERO))
        over = wallet.close(period.end, period.end)
        wallet.append(over)
        left = {}
        for entry in over:
            rule, _, _ = entry.grant_id.partition(":")
            left[rule] = left.get(rule, ZERO) + entry.amount
    return paid


def _grants_for(
    plan: PlanDefinition, period: BillingPeriod, left: dict[str, Decimal], *, first: bool
) -> Iterator[Grant]:
    for terms in plan.grants:
        if not terms.amount or terms.models is not None:
            continue
        if terms.recurs:
            rule = recurring_grant(plan, terms)
            # The whole of it, but for a period that was cut short
            share = Stretch(plan, 0, period.start, period.end).share(period)
            amount = divided_amount([(terms.amount, share)], plan.currency)
            yield replace(rule, amount=amount).for_period(period)
            carried = rule.carried(period, left.get(rule.id, ZERO), in_arrears=True)
            if carried is not None:
                yield carried
        elif first:
            yield single_grant(plan, terms, period.start)


def _models(terms: GrantTerms) -> frozenset[str] | None:
    return None if terms.models is None else frozenset(terms.models)
