"""Compares the plan that a tenant is on with the plan that its platform rates."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.platforms.drift import Difference, record_drift
from backend.platforms.queueing.subscriptions import queued_stretch
from backend.platforms.remote_ids import remote_object
from backend.storage.database import Database
from backend.subscriptions.errors import SubscriptionNotFound
from backend.subscriptions.queries import plan_in_force


async def verify_plan(database: Database, platform: str, row: RowMapping, now: datetime) -> None:
    """Record that the tenant is on another plan than the one that the platform rates."""
    tenant_id = row["tenant_id"]
    at = now if row["ends_at"] is None else min(now, row["ends_at"] - timedelta(seconds=1))
    async with database.begin() as connection:
        stretch = await queued_stretch(connection, row)
        since = str(int(stretch.since.timestamp()))
        there = await remote_object(connection, platform, tenant_id, "plan", since)
        ended = stretch.ends_at is not None and stretch.ends_at <= at
        if there is None or stretch.since > at or ended:
            return
        ours = await _plan_at(connection, tenant_id, at)
        differences = []
        if ours != there["remote_id"]:
            detail = "The platform rates another plan: the change has not been carried over."
            differences.append(Difference("plan_changed", ours, there["remote_id"], detail))
        subject = row["starts_at"].isoformat()
        await record_drift(connection, platform, tenant_id, "plan", subject, differences, now)


async def _plan_at(connection: AsyncConnection, tenant_id: str, at: datetime) -> str | None:
    tenant = await find_tenant(connection, tenant_id)
    try:
        plan = (await plan_in_force(connection, tenant, at)).subscription.plan
    except SubscriptionNotFound:
        return None
    return f"{plan.definition.id} {plan.version}"
