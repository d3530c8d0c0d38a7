"""Periods that a billing platform rates, and invoices by itself: ours close without an invoice.

A platform's prices hold for whole periods, so what a tenant's plan is changes there between two.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.pricing.periods import BillingPeriod
from backend.storage.tables import platform_connections as connections
from backend.subscriptions.errors import PlanRatedElsewhere
from backend.subscriptions.periods import period_at

RatedElsewhere: TypeAlias = defaultdict[str, list[tuple[datetime, datetime | None]]]
"""From when until when a platform rates a tenant's usage, by tenant: from period to period."""


async def rated_elsewhere(connection: AsyncConnection, tenant_ids: Iterable[str]) -> RatedElsewhere:
    """Return when platforms rate the usage of these tenants."""
    query = select(connections.c.tenant_id, connections.c.starts_at, connections.c.ends_at).where(
        connections.c.tenant_id.in_(list(tenant_ids)), connections.c.mode == "usage"
    )
    stretches: RatedElsewhere = defaultdict(list)
    for tenant_id, starts_at, ends_at in await connection.execute(query):
        stretches[tenant_id].append((starts_at, ends_at))
    return stretches


def is_rated_elsewhere(stretches: RatedElsewhere, tenant_id: str, period: BillingPeriod) -> bool:
    """Return whether a platform rates a tenant's period."""
    return any(
        starts_at <= period.start and (ends_at is None or period.end <= ends_at)
        for starts_at, ends_at in stretches.get(tenant_id, ())
    )


async def boundary_from(
    connection: AsyncConnection, tenant_id: str, at: datetime, *, wanted: datetime | None
) -> datetime:
    """Return when a change of plan takes effect: ``at``, unless a platform rates the usage then.

    That is where a billing period begins: at ``at``, or next. Raises ``PlanRatedElsewhere`` if
    ``wanted`` names another time.
    """
    query = select(connections.c.platform).where(
        connections.c.tenant_id == tenant_id,
        connections.c.mode == "usage",
        connections.c.starts_at <= at,
        or_(connections.c.ends_at.is_(None), connections.c.ends_at > at),
    )
    platform = await connection.scalar(query)
    if platform is None:
        return at
    period = await period_at(connection, await find_tenant(connection, tenant_id), at)
    if period.start == at:
        return at
    if wanted is not None:
        raise PlanRatedElsewhere(
            f"{platform.capitalize()} rates this tenant's usage, so its plan changes where a "
            f"billing period begins: next at {period.end.isoformat()}."
        )
    return period.end
