"""Credit that plans bring, and expiry. Nothing comes twice: a grant's id names its period."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.errors import NotFound
from backend.pricing.credit.grants import Grant
from backend.pricing.credit.plan_credit import recurring_grant, single_grant
from backend.pricing.periods import BillingPeriod
from backend.storage.tables import credit_grants, wallets
from backend.subscriptions.periods import period_at
from backend.subscriptions.queries import plan_in_force
from backend.subscriptions.segments import read_segments, segment_from
from backend.wallets.ledger import LockedWallet, lock_wallet
from backend_client.types.accounts import Tenant
from backend_client.types.plan_terms import GrantTerms
from backend_client.types.plans import PlanDefinition
from backend_client.types.subscriptions import SubscriptionState


async def current_wallet(
    connection: AsyncConnection, tenant_id: str, now: datetime
) -> LockedWallet:
    """Lock the tenant's wallet and refresh it: expired credit goes, credit that is due comes.

    Whoever moves credit begins here, so that nothing depends on when the wallet was refreshed
    before: expired credit is carried over as it stood when it expired.
    """
    locked = await lock_wallet(connection, tenant_id, now)
    await locked.append(locked.wallet.expire(locked.at))
    await _bring_due_grants(locked)
    return locked


async def bring_for_bill(locked: LockedWallet, tenant: Tenant, period: BillingPeriod) -> None:
    """Add the credit in arrears that plans bring for a period, up to now, unless it is there.

    So a bill does not depend on whether the wallet was refreshed in its period.
    """
    rows = await read_segments(
        locked.connection, tenant.id, since=period.start, until=min(period.end, locked.at)
    )
    for row in rows:
        terms = segment_from(row).terms
        if terms.state is SubscriptionState.PAUSED:
            continue
        plan = terms.plan_priced_in(tenant.currency)
        for grant in plan.grants:
            if grant.recurs:
                await _bring_recurring(locked, plan, grant, period, only_carried=plan.prepaid)


async def _bring_due_grants(locked: LockedWallet) -> None:
    """Add what the plan in force grants for the period, unless it is there.

    Returns at once until the period or the plan ends.
    """
    until = locked.row["grants_until"]
    if until is not None and locked.at < until:
        return
    tenant = await find_tenant(locked.connection, locked.tenant_id)
    period = await period_at(locked.connection, tenant, locked.at)
    until = period.end
    try:
        subscription, plan = await plan_in_force(locked.connection, tenant, locked.at)
    except NotFound:  # between plans nothing is granted, until the next one begins
        for row in await read_segments(locked.connection, tenant.id, since=locked.at):
            until = min(until, row["start_at"])
    else:
        paused = subscription.state is SubscriptionState.PAUSED
        for terms in () if paused else plan.grants:
            if terms.recurs:
                await _bring_recurring(locked, plan, terms, period)
            else:
                await _add(locked, terms, single_grant(plan, terms, locked.at))
        until = min(until, subscription.state_until or subscription.end or until)
    await locked.connection.execute(
        update(wallets).where(wallets.c.tenant_id == locked.tenant_id).values(grants_until=until)
    )


async def _bring_recurring(
    locked: LockedWallet,
    plan: PlanDefinition,
    terms: GrantTerms,
    period: BillingPeriod,
    *,
    only_carried: bool = False,
) -> None:
    rule = recurring_grant(plan, terms)
    left, left_in_arrears = await _left_before(locked, rule.id, period)
    if not only_carried:
        await _add(locked, terms, rule.for_period(period, left))
    await _add(locked, terms, rule.carried(period, left_in_arrears))


async def _add(locked: LockedWallet, terms: GrantTerms, grant: Grant | None) -> None:
    if grant is not None and grant.amount:
        await locked.add_grant(grant, name=terms.name, origin="plan")


async def _left_before(
    locked: LockedWallet, name: str, period: BillingPeriod
) -> tuple[Decimal, Decimal]:
    """Return what was left of a rule's grants that expired when the period began.

    First of those that expired at once, then of those in arrears, as far as they were closed.
    """
    expired, in_arrears = func.sum(credit_grants.c.expired), credit_grants.c.in_arrears
    query = select(
        expired.filter(in_arrears.is_(False)).label("at_once"),
        expired.filter(in_arrears.is_(True)).label("in_arrears"),
    ).where(
        credit_grants.c.tenant_id == locked.tenant_id,
        credit_grants.c.id.startswith(f"{name}:", autoescape=True),
        credit_grants.c.expires_at == period.start,
    )
    row = (await locked.connection.execute(query)).one()
    return row.at_once or Decimal(0), row.in_arrears or Decimal(0)
