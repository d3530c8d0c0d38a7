"""Credit that plans bring, and credit that is over. Nothing comes twice: its id is its period."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.billing.periods import period_at
from backend.billing.segments import read_segments
from backend.billing.subscriptions import current_subscription
from backend.billing.wallets.ledger import LockedWallet, lock_wallet
from backend.errors import NotFound
from backend.pricing.credits import Grant, GrantKind, RecurringGrant
from backend.pricing.periods import BillingPeriod
from backend.pricing.price_lists import in_currency
from backend.storage.tables import credit_grants, wallets
from backend_client.types.plans import GrantTerms, PlanDefinition, SubscriptionState


async def current_wallet(
    connection: AsyncConnection, tenant_id: str, now: datetime
) -> LockedWallet:
    """Lock the tenant's wallet and bring it up to ``now``: what is over goes, what is due comes.

    Whoever moves credit begins here, so that what an act finds does not hang on when somebody
    looked at the wallet before: credit that is over is carried on as it stood when its time was up.
    """
    locked = await lock_wallet(connection, tenant_id, now)
    await locked.append(locked.wallet.expire(locked.at))
    await _bring_due_grants(locked)
    return locked


async def _bring_due_grants(locked: LockedWallet) -> None:
    """Add what the plan in force grants for the period, unless it is there.

    Quick until the period or the plan ends.
    """
    until = locked.row["grants_until"]
    if until is not None and locked.at < until:
        return
    tenant = await find_tenant(locked.connection, locked.tenant_id)
    period = await period_at(locked.connection, tenant, locked.at)
    until = period.end
    try:
        subscription = await current_subscription(locked.connection, tenant.id, locked.at)
    except NotFound:  # between plans nothing is granted, until the next one begins
        for row in await read_segments(locked.connection, tenant.id, since=locked.at):
            until = min(until, row["start_at"])
    else:
        plan = in_currency(subscription.plan.definition, tenant.currency)
        paused = subscription.state is SubscriptionState.PAUSED
        for terms in () if paused else plan.grants:
            grant = await _grant(locked, plan, terms, period)
            if grant.amount:
                await locked.add_grant(grant, name=terms.name, origin="plan")
        until = min(until, subscription.state_until or subscription.end or until)
    await locked.connection.execute(
        update(wallets).where(wallets.c.tenant_id == locked.tenant_id).values(grants_until=until)
    )


async def _grant(
    locked: LockedWallet, plan: PlanDefinition, terms: GrantTerms, period: BillingPeriod
) -> Grant:
    name = f"{plan.id}.{terms.id}"
    models = None if terms.models is None else frozenset(terms.models)
    if not terms.recurs:
        days = terms.expires_after_days
        expires = None if days is None else locked.at + timedelta(days=days)
        kind = GrantKind.PROMOTIONAL
        return Grant(name, kind, terms.amount, locked.at, expires, terms.priority, models)
    rule = RecurringGrant(
        name, GrantKind.PROMOTIONAL, terms.amount, terms.rollover_cap, terms.priority, models
    )
    return rule.for_period(period, await _left_before(locked, name, period))


async def _left_before(locked: LockedWallet, name: str, period: BillingPeriod) -> Decimal:
    """Return what was left of the rule's grant that expired when the period began."""
    query = select(credit_grants.c.expired).where(
        credit_grants.c.tenant_id == locked.tenant_id,
        credit_grants.c.id.startswith(f"{name}:", autoescape=True),
        credit_grants.c.expires_at == period.start,
    )
    return await locked.connection.scalar(query) or Decimal(0)
