"""The credit that a plan brings, and what it pays of the plan's own bills. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from backend.pricing.credit.grants import Grant, GrantKind
from backend.pricing.credit.rules import RecurringGrant
from backend.pricing.credit.wallet import Wallet
from backend.pricing.money import ZERO, whole_minor_units
from backend.pricing.periods import BillingPeriod
from backend_client.types.plan_terms import GrantTerms
from backend_client.types.plans import PlanDefinition


def recurring_grant(plan: PlanDefinition, terms: GrantTerms) -> RecurringGrant:
    """Return the rule of the credit that every period brings: in arrears if calls don't use it."""
    return RecurringGrant(
        f"{plan.id}.{terms.id}",
        GrantKind.PROMOTIONAL,
        terms.amount,
        terms.rollover_cap,
        terms.priority,
        _models(terms),
        in_arrears=not plan.prepaid,
    )


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
            yield rule.for_period(period, left.get(rule.id, ZERO))
        elif first:
            yield single_grant(plan, terms, period.start)


def _models(terms: GrantTerms) -> frozenset[str] | None:
    return None if terms.models is None else frozenset(terms.models)
