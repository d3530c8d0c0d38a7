"""Opening a tenant: its account, its first plan, and the invitation of its owner."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.principal import Principal
from backend.accounts.tenants import create_tenant, tenant_defaults
from backend.customers.inviting import invite_for
from backend.settings import Settings
from backend.subscriptions.changes import start_subscription
from backend.subscriptions.periods import set_anchor
from backend_client.types.accounts import InvitationCreate, Role, TenantCreate, TenantCreated

OWNER_SECONDS = 30 * 24 * 3600
"""How long a first owner may take to sign in."""


async def open_tenant(
    connection: AsyncConnection,
    settings: Settings,
    caller: Principal,
    wanted: TenantCreate,
    at: datetime,
) -> TenantCreated:
    """Create a tenant with its first application, subscribed from the quarter hour of ``at``.

    The billing day "anniversary" is the day of ``at`` in the tenant's time zone. An owner that is
    named is invited; the link is in the answer and nowhere else. On a test clock ``at`` is where
    the clock begins.

    Raises ``Conflict`` if the slug is taken or the plan has another currency, ``NotFound`` for a
    plan that is not on sale.
    """
    tenant = await create_tenant(connection, wanted, tenant_defaults(settings))
    at = tenant.clock_at or at
    day = wanted.billing_day
    if day == "anniversary":
        day = at.astimezone(ZoneInfo(tenant.time_zone)).day
    if day is not None:
        await set_anchor(connection, tenant, day, at)
    await start_subscription(connection, tenant.id, wanted.plan, at)
    await record(connection, caller, "tenant.create", tenant.id, tenant_id=tenant.id)
    invitation = None
    if wanted.owner is not None:
        first = InvitationCreate(
            role=Role.OWNER, email=wanted.owner, expires_in_seconds=OWNER_SECONDS
        )
        operator = caller.acting_for(tenant.id)
        invitation = await invite_for(connection, settings, operator, tenant, first)
    return TenantCreated(**tenant.model_dump(), invitation=invitation)
