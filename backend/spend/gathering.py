"""Gathers what a billing period is rated from: its plans, usage, coupons and contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.metering.queries.rated_usage import period_usage
from backend.pricing.charges.windows import cut_at_windows
from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.contract import counted
from backend.pricing.rating.rated_period import Stretch
from backend.spend.open_period import OpenPeriod
from backend.spend.values import stretch_values
from backend.storage.tables import usage_versions
from backend.subscriptions.contracts import (
    contract_in_force,
    contract_period,
    counted_meters,
    periods_before,
)
from backend.subscriptions.coupons import coupons_of
from backend.subscriptions.periods import period_at
from backend.subscriptions.stretches import plan_stretches
from backend_client.types.accounts import Tenant


async def open_period(connection: AsyncConnection, tenant: Tenant, now: datetime) -> OpenPeriod:
    """Return the billing period that ``now`` is in, with its plans and usage so far."""
    return await metered_period(connection, tenant, await period_at(connection, tenant, now))


async def metered_period(
    connection: AsyncConnection, tenant: Tenant, period: BillingPeriod
) -> OpenPeriod:
    """Return any billing period of a tenant with its plans, usage, coupons and contract."""
    opened = await plain_period(connection, tenant, period)
    contract = await contract_in_force(connection, tenant, opened.period.start)
    if contract is None:
        return opened
    before: list[Decimal] = []
    for earlier in await periods_before(connection, tenant, contract, opened.period):
        past = await plain_period(connection, tenant, earlier)
        before.append(counted(past.rate(), past.stretches, counted_meters(contract)))
    contract_terms = await contract_period(connection, tenant, contract, opened.period, before)
    return replace(opened, contract=contract_terms)


async def plain_period(
    connection: AsyncConnection, tenant: Tenant, period: BillingPeriod
) -> OpenPeriod:
    """Return a billing period with its coupons, but without its contract."""
    own = await period_at(connection, tenant, period.start)
    if (own.start, own.end) == (period.start, period.end):
        period = own  # which says whether it was cut short
    # The version is read first: usage that arrives in between is read again, never missed.
    version = await usage_version(connection, tenant.id)
    stretches = await plan_stretches(connection, tenant.id, period)
    return OpenPeriod(
        period,
        tenant.currency,
        await metered_stretches(connection, tenant.id, stretches),
        version,
        await coupons_of(connection, tenant, period),
    )


async def metered_stretches(
    connection: AsyncConnection, tenant_id: str, stretches: Sequence[Stretch]
) -> tuple[Stretch, ...]:
    """Return stretches with the usage of each, by the windows and labels of its plan."""
    usage = await period_usage(
        connection,
        tenant_id,
        [cut_at_windows(stretch.plan, stretch.start, stretch.end) for stretch in stretches],
        {
            name
            for stretch in stretches
            if stretch.plan is not None
            for name in stretch.plan.priced_labels
        },
    )
    values = await stretch_values(connection, tenant_id, stretches)
    parts = zip(stretches, usage, values, strict=True)
    return tuple(replace(stretch, usage=(*used, *own)) for stretch, used, own in parts)


async def usage_version(connection: AsyncConnection, tenant_id: str) -> int:
    """Return how often a tenant's usage has changed so far."""
    query = select(usage_versions.c.version).where(usage_versions.c.tenant_id == tenant_id)
    return await connection.scalar(query) or 0
