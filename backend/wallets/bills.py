"""Credit and bills: what the wallet pays of a bill, and closing a period's credit after it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Text, bindparam, func, or_, select, text, union
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.credit.entries import Account
from backend.pricing.money import whole_minor_units
from backend.pricing.periods import BillingPeriod
from backend.storage.tables import (
    credit_grants,
    ledger_entries,
    plan_versions,
    subscriptions,
    wallets,
)
from backend.subscriptions.periods import period_at
from backend.subscriptions.segments import OF_PLAN_VERSION
from backend.wallets.ledger import LockedWallet
from backend.wallets.recurring import bring_for_bill, current_wallet, earned_so_far
from backend.wallets.rollovers import roll_over
from backend.wallets.top_ups import check_balance
from backend_client.types.accounts import Tenant

_WAITING = text(
    """
    SELECT closed.tenant_id FROM unnest(:tenants, :ends) AS closed (tenant_id, period_end)
    WHERE EXISTS (
        SELECT FROM credit_grants WHERE credit_grants.tenant_id = closed.tenant_id
            AND in_arrears AND available > 0 AND expires_at <= closed.period_end
    ) OR EXISTS (
        SELECT FROM wallets WHERE wallets.tenant_id = closed.tenant_id
            AND (grants_until IS NULL OR grants_until <= closed.period_end)
    )
    """
).bindparams(
    bindparam("tenants", type_=ARRAY(Text)),
    bindparam("ends", type_=ARRAY(wallets.c.grants_until.type)),
)
"""Of tenants with the ends of their periods: those whose wallet has credit in arrears that expired
by then, or was not refreshed since, so that its plan's credit may be missing."""


async def with_credit(
    connection: AsyncConnection, tenant_ids: Collection[str], since: datetime, now: datetime
) -> set[str]:
    """Return which tenants may have credit that pays a bill of the time from ``since`` on.

    These have something left, or a plan that brings credit. One query for a batch of the run: no
    other tenant's wallet needs to be locked.
    """
    left = select(credit_grants.c.tenant_id).where(
        credit_grants.c.tenant_id.in_(tenant_ids), credit_grants.c.available > 0
    )
    brought = (
        select(subscriptions.c.tenant_id)
        .join(
            plan_versions,
            OF_PLAN_VERSION,
        )
        .where(
            subscriptions.c.tenant_id.in_(tenant_ids),
            subscriptions.c.start_at < now,
            or_(subscriptions.c.end_at.is_(None), subscriptions.c.end_at > since),
            func.jsonb_array_length(plan_versions.c.definition["grants"]) > 0,
        )
    )
    return set(await connection.scalars(union(left, brought)))


async def pay_from_credit(
    connection: AsyncConnection,
    tenant: Tenant,
    cause: str,
    amount: Decimal,
    period: BillingPeriod,
    now: datetime,
) -> Decimal:
    """Pay up to ``amount`` of a period's bill from credit for any model; return what it paid.

    It pays whole minor units. ``cause`` is the bill's id: paying again with it pays nothing more
    and returns the same.
    """
    locked = await current_wallet(connection, tenant.id, now)
    query = select(func.sum(ledger_entries.c.amount)).where(
        ledger_entries.c.tenant_id == tenant.id,
        ledger_entries.c.cause == cause,
        ledger_entries.c.target == Account.USED.value,
    )
    paid: Decimal | None = await connection.scalar(query)
    return await _pay(locked, tenant, cause, amount, period) if paid is None else paid


async def pay_more_from_credit(
    connection: AsyncConnection,
    tenant: Tenant,
    cause: str,
    amount: Decimal,
    period: BillingPeriod,
    now: datetime,
) -> Decimal:
    """Pay up to ``amount`` as ``pay_from_credit`` does, beside what was paid with the same cause.

    Not to be repeated: the caller's transaction closes the period.
    """
    locked = await current_wallet(connection, tenant.id, now)
    return await _pay(locked, tenant, cause, amount, period)


async def _pay(
    locked: LockedWallet, tenant: Tenant, cause: str, amount: Decimal, period: BillingPeriod
) -> Decimal:
    await bring_for_bill(locked, tenant, period)
    most = await earned_so_far(locked, tenant, period) if locked.at < period.end else {}
    available = locked.wallet.available_for_bill(period, locked.at, most)
    within = min(amount, whole_minor_units(available, tenant.currency))
    if within <= 0:
        return Decimal(0)
    await locked.append(locked.wallet.pay_bill(cause, within, period, locked.at, most))
    await check_balance(locked)
    return within


async def pay_overdue_from_credit(
    connection: AsyncConnection, tenant: Tenant, cause: str, amount: Decimal, now: datetime
) -> Decimal:
    """Pay up to ``amount`` of an overdue bill from credit that was bought; return what it paid.

    It pays whole minor units. ``cause`` is the payment's id.
    """
    locked = await current_wallet(connection, tenant.id, now)
    available = locked.wallet.available_for_debt(locked.at)
    within = min(amount, whole_minor_units(available, tenant.currency))
    if within <= 0:
        return Decimal(0)
    await locked.append(locked.wallet.pay_debt(cause, within, locked.at))
    await check_balance(locked)
    return within


async def close_credit(
    connection: AsyncConnection, closed: Sequence[tuple[Tenant, BillingPeriod]], now: datetime
) -> None:
    """Expire what is left of the credit of periods that were just billed, one period a tenant.

    Plans carry their part of it into the following period.
    """
    waiting = await connection.scalars(
        _WAITING,
        {
            "tenants": [tenant.id for tenant, _ in closed],
            "ends": [period.end for _, period in closed],
        },
    )
    due = set(waiting)
    for tenant, period in closed:
        if tenant.id in due:
            locked = await current_wallet(connection, tenant.id, now)
            await bring_for_bill(locked, tenant, period)
            await _close(locked, tenant, period)


async def _close(locked: LockedWallet, tenant: Tenant, period: BillingPeriod) -> None:
    rolled = await roll_over(locked, period.end, in_arrears=True)
    entries = locked.wallet.close(period.end, locked.at)
    await locked.append(entries)
    if entries or rolled:
        following = await period_at(locked.connection, tenant, period.end)
        await bring_for_bill(locked, tenant, following)
        await check_balance(locked)
