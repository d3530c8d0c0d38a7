"""The sample tenants' accounts: tenants, plans, applications, keys, and who may look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.applications import create_application, list_applications
from backend.accounts.audit.writing import record
from backend.accounts.keys.keys import create_key, list_keys
from backend.accounts.members.members import add_member
from backend.accounts.principal import COMMAND_LINE, ROLE_PERMISSIONS, Principal
from backend.accounts.tenants import create_tenant, delete_tenant, find_tenant
from backend.demo.tenants import SAMPLE_TENANTS, SampleTenant
from backend.demo.usage import Places
from backend.errors import CommandError, NotFound
from backend.storage.tables import subscriptions
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import (
    ApiKeyCreate,
    Application,
    ApplicationCreate,
    Role,
    Tenant,
)


@dataclass(frozen=True, slots=True)
class OpenedTenant:
    """An existing sample tenant, with the ids that its events have.

    ``start`` is when its plan began, which is where its usage begins.
    """

    sample: SampleTenant
    tenant: Tenant
    places: Places
    start: datetime


async def open_tenants(
    connection: AsyncConnection, *, actor: str, start: datetime, member: str | None
) -> list[OpenedTenant]:
    """Create missing sample tenants, subscribed from ``start`` on; return all of them.

    ``actor`` is the id of the operator key for the audit log. ``member``, a person's id, becomes an
    owner of each. Raises ``CommandError`` if another tenant has the slug of a sample.
    """
    opened = []
    for sample in SAMPLE_TENANTS:
        tenant = await _find(connection, sample)
        if tenant is None:
            tenant = await _create(connection, sample, actor, start)
        if member is not None:
            await add_member(connection, tenant.id, member, Role.OWNER)
        applications = await list_applications(connection, tenant.id, cursor=None, limit=200)
        keys = await list_keys(connection, tenant.id, cursor=None, limit=200)
        began = await connection.scalar(
            select(func.min(subscriptions.c.start_at)).where(subscriptions.c.tenant_id == tenant.id)
        )
        places = Places(
            tenant.id,
            {application.name: application.id for application in applications.items},
            {key.name: key.id for key in keys.items},
        )
        opened.append(OpenedTenant(sample, tenant, places, began or start))
    return opened


async def sample_tenants(connection: AsyncConnection) -> list[Tenant]:
    """Return the existing sample tenants."""
    tenants = [await _find(connection, sample) for sample in SAMPLE_TENANTS]
    return [tenant for tenant in tenants if tenant is not None]


async def remove_tenants(connection: AsyncConnection, tenants: Sequence[Tenant]) -> None:
    """Remove sample tenants with their usage and everything else they have."""
    for tenant in tenants:
        await delete_tenant(connection, COMMAND_LINE, tenant.id)


async def _find(connection: AsyncConnection, sample: SampleTenant) -> Tenant | None:
    try:
        tenant = await find_tenant(connection, sample.wanted.slug)
    except NotFound:
        return None
    if not tenant.is_sample:
        raise CommandError(f"The tenant {tenant.slug!r} is not sample data; nothing was changed.")
    return tenant


async def _create(
    connection: AsyncConnection, sample: SampleTenant, actor: str, start: datetime
) -> Tenant:
    tenant = await create_tenant(connection, sample.wanted)
    await start_subscription(connection, tenant.id, sample.wanted.plan, start)
    operator = Principal(
        kind="operator",
        id=actor,
        tenant_id=tenant.id,
        permissions=ROLE_PERMISSIONS[Role.OPERATOR],
        role=Role.OPERATOR,
    )
    await record(connection, operator, "tenant.create", tenant.id)
    applications: dict[str, Application] = {}
    keys: set[str] = set()
    for series in sample.series:
        if series.application not in applications:
            wanted = ApplicationCreate(name=series.application)
            applications[series.application] = await create_application(
                connection, tenant.id, wanted
            )
        if series.key not in keys:
            # Its secret is discarded: the key only gives usage by key a name.
            keys.add(series.key)
            application_id = applications[series.application].id
            wanted_key = ApiKeyCreate(name=series.key, application_id=application_id)
            await create_key(connection, operator, wanted_key)
    return tenant
