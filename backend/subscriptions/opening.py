"""Opening a tenant: its account and its first plan."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit import record
from backend.accounts.principal import Principal
from backend.accounts.tenants import create_tenant
from backend.subscriptions.changes import start_subscription
from backend.subscriptions.periods import set_anchor
from backend_client.types.accounts import Tenant, TenantCreate


async def open_tenant(
    connection: AsyncConnection, caller: Principal, wanted: TenantCreate, at: datetime
) -> Tenant:
    """Create a tenant with its first application, subscribed from the quarter hour of ``at``.

    The billing day "anniversary" is the day of ``at`` in the tenant's time zone.

    Raises ``Conflict`` if the slug is taken or the plan has another currency, ``NotFound`` for a
    plan that is not on sale.
    """
    tenant = await create_tenant(connection, wanted)
    day = wanted.billing_day
    if day == "anniversary":
        day = at.astimezone(ZoneInfo(tenant.time_zone)).day
    if day is not None:
        await set_anchor(connection, tenant, day, at)
    await start_subscription(connection, tenant.id, wanted.plan, at)
    await record(connection, caller, "tenant.create", tenant.id, tenant_id=tenant.id)
    return tenant
