"""Credit that plans bring, and expiry. Nothing comes twice: a grant's id names its period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import RowMapping, Text, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.errors import NotFound
from backend.pricing.credit.grants import Grant
from backend.pricing.credit.plan_credit import single_grant
from backend.pricing.credit.rules import RecurringGrant, period_suffix
from backend.pricing.credit.shares import credit_of_period, fitted
from backend.pricing.money import ZERO
from backend.pricing.periods import BillingPeriod
from backend.storage.tables import credit_grants, wallets
from backend.subscriptions.periods import period_at
from backend.subscriptions.queries import plan_in_force
from backend.subscriptions.segments import read_segments
from backend.subscriptions.stretches import plan_stretches
from backend.wallets.ledger import LockedWallet, grant_from, lock_wallet
from backend.wallets.rollovers import roll_over
from backend_client.types.accounts import Tenant
from backend_client.types.subscriptions import SubscriptionState

# Made once, for they run whenever a wallet is refreshed
_LOOK_AGAIN = (
    update(wallets)
    .where(wallets.c.tenant_id == bindparam("of_tenant"))
    .values(grants_until=bindparam("until"))
)
_BROUGHT = select(credit_grants).where(
    credit_grants.c.tenant_id == bindparam("tenant_id"),
    credit_grants.c.origin == "plan",
    credit_grants.c.starts_at == bindparam("start"),
    func.right(credit_grants.c.id, func.length(bindparam("suffix", type_=Text)))
    == bindparam("suffix", type_=Text),
)
_LEFT_BEFORE = select(
    *(
        func.sum(credit_grants.c.expired).filter(credit_grants.c.in_arrears.is_(yes)).label(name)
        for name, yes in (("at_once", False), ("in_arrears", True))
    )
).where(
    credit_grants.c.tenant_id == bindparam("tenant_id"),
    func.starts_with(credit_grants.c.id, bindparam("prefix", type_=Text)),
    credit_grants.c.expires_at == bindparam("end"),
)


async def current_wallet(
    connection: AsyncConnection, tenant_id: str, now: datetime
) -> LockedWallet:
    """Lock the tenant's wallet and refresh it: expired credit goes, credit that is due comes.

    Whoever moves credit begins here, so that nothing depends on when the wallet was refreshed
    before: expired credit is carried over as it stood when it expired.
    """
    locked = await lock_wallet(connection, tenant_id, now)
    await roll_over(locked, locked.at, in_arrears=False)
    await locked.append(locked.wallet.expire(locked.at))
    await _bring_due_grants(locked)
    return locked


async def bring_for_bill(locked: LockedWallet, tenant: Tenant, period: BillingPeriod) -> None:
    """Add the credit in arrears that plans bring for a period, up to now, unless it is there.

    So a bill does not depend on whether the wallet was refreshed in its period.
    """
    await _bring_recurring(locked, tenant, period, only_in_arrears=True)


async def earned_so_far(
    locked: LockedWallet, tenant: Tenant, period: BillingPeriod
) -> dict[str, Decimal]:
    """Return what the period's credit in arrears may pay by now, by grant: its part of that time.

    A bill in part is paid from no more than that, so that leaving the plan afterwards takes nothing
    back that a bill was paid with.
    """
    grants = await _due(locked.connection, tenant, period, begun=locked.at, until=locked.at)
    brought = await _brought(locked.connection, tenant.id, period)
    return {
        row["id"]: max(
            (grants[row["id"]].grant.amount if row["id"] in grants else ZERO) - _held(row), ZERO
        )
        for row in brought
        if row["in_arrears"]
    }


async def used_beyond_share(
    connection: AsyncConnection, tenant: Tenant, period: BillingPeriod
) -> Decimal:
    """Return how much was used of a period's plan credit beyond its share; plans were left early.

    Calls used it, or it paid invoices. The period's invoice asks for it.
    """
    brought = [
        row for row in await _brought(connection, tenant.id, period) if not row["in_arrears"]
    ]
    if not any(row["used"] for row in brought):
        return ZERO
    grants = await _due(connection, tenant, period, begun=period.end)
    due = [(_as_due(row, grants), row["used"]) for row in brought]
    return fitted(due)[1]


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
    settled = await _bring_recurring(locked, tenant, period)
    try:
        subscription, plan = await plan_in_force(locked.connection, tenant, locked.at)
    except NotFound:  # between plans nothing is granted, until the next one begins
        for row in await read_segments(locked.connection, tenant.id, since=locked.at):
            until = min(until, row["start_at"])
    else:
        paused = subscription.state is SubscriptionState.PAUSED
        for terms in () if paused else plan.grants:
            if not terms.recurs:
                await _add(locked, single_grant(plan, terms, locked.at), terms.name)
        until = min(until, subscription.state_until or subscription.end or until)
    await look_again(locked, until if settled else locked.at)


async def look_again(locked: LockedWallet, at: datetime) -> None:
    """Have the wallet derive anew, from ``at`` on, what its plans bring."""
    values = {"of_tenant": locked.tenant_id, "until": at}
    await locked.connection.execute(_LOOK_AGAIN, values)


class _Due(NamedTuple):
    """A grant as it is due by itself, and what customers call it."""

    grant: Grant
    rule: RecurringGrant
    name: str


async def _bring_recurring(
    locked: LockedWallet, tenant: Tenant, period: BillingPeriod, *, only_in_arrears: bool = False
) -> bool:
    """Have each grant of the period come to its share; return whether all of them do.

    One does not yet where calls that are under way have reserved more of it.
    """
    connection = locked.connection
    grants = await _due(connection, tenant, period, begun=max(locked.at, period.start))
    await _carry(locked, period, grants, only_in_arrears=only_in_arrears)
    brought = {row["id"]: row for row in await _brought(connection, tenant.id, period)}
    settled = True
    for in_arrears in (True,) if only_in_arrears else (False, True):
        due = [
            (_as_due(row, grants), _held(row))
            for row in brought.values()
            if row["in_arrears"] is in_arrears
        ]
        due += [
            (grant, ZERO)
            for grant, _, _ in grants.values()
            if grant.id not in brought and grant.in_arrears is in_arrears
        ]
        amounts, _ = fitted(due)
        for grant, held in due:
            amount, row = amounts[grant.id], brought.get(grant.id)
            if row is None:
                await _add(locked, replace(grant, amount=amount), grants[grant.id].name)
            elif not row["expired"]:
                await locked.resize_grant(grant.id, amount)
                settled = settled and not (held > grant.amount and row["reserved"])
    return settled


async def _due(
    connection: AsyncConnection,
    tenant: Tenant,
    period: BillingPeriod,
    *,
    begun: datetime,
    until: datetime | None = None,
) -> dict[str, _Due]:
    """Return what each plan that began by ``begun`` brings for a period, by the grant's id."""
    stretches = await plan_stretches(connection, tenant.id, period)
    credit = credit_of_period(stretches, period, tenant.currency, begun=begun, until=until)
    grants = ((rule.for_period(period), rule, name) for rule, name in credit)
    return {grant.id: _Due(grant, rule, name) for grant, rule, name in grants}


async def _carry(
    locked: LockedWallet,
    period: BillingPeriod,
    grants: Mapping[str, _Due],
    *,
    only_in_arrears: bool,
) -> None:
    """Add what is carried into a period of what was left of the one before, unless it is there."""
    for _, rule, name in grants.values():
        if not rule.rollover_cap:
            continue
        left, left_in_arrears = await _left_before(locked, rule.id, period)
        if not only_in_arrears:
            await _add(locked, rule.carried(period, left, in_arrears=False), name)
        await _add(locked, rule.carried(period, left_in_arrears, in_arrears=True), name)


async def _brought(
    connection: AsyncConnection, tenant_id: str, period: BillingPeriod
) -> Sequence[RowMapping]:
    """Return the grants that plans have brought for a period, without what was carried into it."""
    values = {"tenant_id": tenant_id, "start": period.start, "suffix": period_suffix(period)}
    return (await connection.execute(_BROUGHT, values)).mappings().all()


def _held(row: RowMapping) -> Decimal:
    held: Decimal = row["used"] + row["reserved"]
    return held


def _as_due(row: RowMapping, grants: Mapping[str, _Due]) -> Grant:
    """Return a grant that was brought as it is due: nothing, once its plan has no time left."""
    due = grants.get(row["id"])
    return replace(grant_from(row), amount=ZERO if due is None else due.grant.amount)


async def _add(locked: LockedWallet, grant: Grant | None, name: str) -> None:
    if grant is not None and grant.amount:
        await locked.add_grant(grant, name=name, origin="plan")


async def _left_before(
    locked: LockedWallet, name: str, period: BillingPeriod
) -> tuple[Decimal, Decimal]:
    """Return what was left of a rule's grants that expired when the period began.

    First of those that expired at once, then of those in arrears, as far as they were closed.
    """
    values = {"tenant_id": locked.tenant_id, "prefix": f"{name}:", "end": period.start}
    row = (await locked.connection.execute(_LEFT_BEFORE, values)).one()
    return row.at_once or ZERO, row.in_arrears or ZERO
