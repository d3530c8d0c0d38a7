"""Sample tenants on test clocks, and their clocks advanced as the worker does it."""

from __future__ import annotations

import asyncio
from datetime import datetime

from backend.accounts.tenants import create_tenant
from backend.clocks.advancing import advance
from backend.clocks.clocks import ask_to_advance, read_clock
from backend.ids import new_id
from backend.settings import Settings
from backend.storage.database import Database
from backend.subscriptions.changes import start_subscription
from backend.subscriptions.periods import set_anchor
from backend_client.types.accounts import Tenant, TenantCreate
from backend_client.types.test_clocks import TestClock


async def on_clock(
    database: Database,
    at: datetime,
    plan: str | None = None,
    *,
    zone: str = "UTC",
    currency: str = "USD",
    anchor: int = 1,
) -> Tenant:
    """Make a tenant on a clock, on a plan from where the clock begins."""
    async with database.begin() as connection:
        wanted = TenantCreate(
            slug=new_id("ten").replace("_", "-"),
            name="On a clock",
            time_zone=zone,
            currency=currency,
            clock_at=at,
        )
        tenant = await create_tenant(connection, wanted)
        await set_anchor(connection, tenant, anchor, at)
        if plan is not None:
            await start_subscription(connection, tenant.id, plan, at)
    return tenant


async def advance_to(
    database: Database, settings: Settings, tenant: Tenant, to: datetime
) -> TestClock:
    """Advance a clock, and return it where it has stopped."""
    async with database.begin() as connection:
        await ask_to_advance(connection, tenant.id, to, {})
    await advance(database, settings, tenant.id, asyncio.Event())
    async with database.begin() as connection:
        return await read_clock(connection, tenant.id)
