"""The billing period of a tenant at a moment. All billing uses this."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.periods import BillingPeriod, billing_period
from backend.storage.tables import billing_anchors, subscriptions
from backend_client.types.accounts import Tenant

_ANCHORS = (
    select(billing_anchors.c.effective_at, billing_anchors.c.day)
    .where(billing_anchors.c.tenant_id == bindparam("tenant_id"))
    .order_by(billing_anchors.c.effective_at)
)


async def period_at(connection: AsyncConnection, tenant: Tenant, moment: datetime) -> BillingPeriod:
    """Return the tenant's billing period that ``moment`` is in.

    Periods begin with the tenant's anchor day: the first, unless another was set. A new anchor
    takes effect where a period ends; the one that begins there is cut to end with the new day.
    """
    anchors = (await connection.execute(_ANCHORS, {"tenant_id": tenant.id})).all()
    since, day, until = None, 1, None
    for effective_at, anchor_day in anchors:
        if effective_at <= moment:
            since, day = effective_at, anchor_day
        else:
            until = effective_at
            break
    period = billing_period(moment, tenant.time_zone, day)
    start = period.start if since is None else max(period.start, since)
    end = period.end if until is None else min(period.end, until)
    if (start, end) == (period.start, period.end):
        return period
    return replace(period, start=start, end=end, uncut=(period.start, period.end))


async def set_anchor(
    connection: AsyncConnection, tenant: Tenant, day: int, now: datetime
) -> BillingPeriod:
    """Let the tenant's periods begin with ``day`` of the month; return the first such period.

    This holds from the end of the present period or, before a tenant's first subscription, from the
    start. A scheduled change is replaced.
    """
    anchor = await connection.scalar(
        select(billing_anchors.c.day).where(billing_anchors.c.tenant_id == tenant.id).limit(1)
    )
    subscribed = await connection.scalar(
        select(subscriptions.c.id).where(subscriptions.c.tenant_id == tenant.id).limit(1)
    )
    if anchor is None and subscribed is None:
        effective = billing_period(now, tenant.time_zone, day).start
    else:
        await connection.execute(
            delete(billing_anchors).where(
                billing_anchors.c.tenant_id == tenant.id, billing_anchors.c.effective_at > now
            )
        )
        effective = (await period_at(connection, tenant, now)).end
    await connection.execute(
        insert(billing_anchors)
        .values(tenant_id=tenant.id, effective_at=effective, day=day)
        .on_conflict_do_update(
            index_elements=[billing_anchors.c.tenant_id, billing_anchors.c.effective_at],
            set_={"day": day},
        )
    )
    return await period_at(connection, tenant, effective)
