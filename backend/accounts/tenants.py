"""Tenants and their applications."""

from __future__ import annotations

from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.applications import create_application
from backend.accounts.audit.writing import forget_tenant, record
from backend.accounts.clocks import check_start, start_clock
from backend.accounts.errors import (
    TenantNotFound,
    TenantSlugTaken,
)
from backend.accounts.principal import Principal
from backend.errors import InvalidInput
from backend.ids import new_id
from backend.kit.pages import Cursor, page_of
from backend.settings import Settings
from backend.storage.tables import (
    call_measures,
    corrections,
    daily_rollups,
    event_archives,
    events,
    notifications,
    rollups,
    tenants,
    usage_values,
    usage_versions,
)
from backend_client.types.accounts import (
    ApplicationCreate,
    OwnTenantChange,
    Tenant,
    TenantChange,
    TenantCreate,
)
from backend_client.types.common import Page
from backend_client.types.problems import FieldError

DEFAULT_APPLICATION = "Default"
_BY_ID_OR_SLUG = select(tenants).where(
    or_(tenants.c.id == bindparam("name"), tenants.c.slug == bindparam("name"))
)

UNTIED = (
    events,
    corrections,
    event_archives,
    rollups,
    daily_rollups,
    usage_values,
    usage_versions,
    call_measures,
    notifications,
)
"""A tenant's tables that are deleted with it though no foreign key ties them to it: usage, which is
written too often to check one, and notifications, which report invoices even afterwards."""


class TenantDefaults(NamedTuple):
    """What a tenant has where nothing else was said when it was made."""

    currency: str = "USD"
    time_zone: str = "UTC"


PLAIN_DEFAULTS = TenantDefaults()


def _tenant(row: RowMapping) -> Tenant:
    return Tenant.model_validate(dict(row))


def tenant_defaults(settings: Settings) -> TenantDefaults:
    """Return the installation's defaults for new tenants."""
    return TenantDefaults(settings.default_currency, settings.default_time_zone)


async def create_tenant(
    connection: AsyncConnection, wanted: TenantCreate, defaults: TenantDefaults = PLAIN_DEFAULTS
) -> Tenant:
    """Create a tenant and its first application; raise ``Conflict`` if the slug is taken.

    With ``clock_at`` it is a sample on a test clock, as which it stays.
    """
    if wanted.clock_at is not None:
        check_start(wanted.clock_at)
    time_zone = wanted.time_zone or defaults.time_zone
    try:
        ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError):
        raise InvalidInput(
            f"{time_zone!r} is not a time zone.",
            errors=[FieldError(field="time_zone", detail="give an IANA name: Europe/Berlin")],
        ) from None
    try:
        async with connection.begin_nested():
            row = await connection.execute(
                insert(tenants)
                .values(
                    id=new_id("ten"),
                    slug=wanted.slug,
                    name=wanted.name,
                    time_zone=time_zone,
                    currency=wanted.currency or defaults.currency,
                    is_sample=wanted.is_sample or wanted.clock_at is not None,
                    clock_at=wanted.clock_at,
                )
                .returning(tenants)
            )
    except IntegrityError:
        raise TenantSlugTaken(f"There is a tenant {wanted.slug!r} already.") from None
    tenant = _tenant(row.mappings().one())
    if tenant.clock_at is not None:
        await start_clock(connection, tenant.id)
    await create_application(connection, tenant.id, ApplicationCreate(name=DEFAULT_APPLICATION))
    return tenant


async def find_tenant(connection: AsyncConnection, id_or_slug: str) -> Tenant:
    """Return a tenant; raise ``NotFound``."""
    result = await connection.execute(_BY_ID_OR_SLUG, {"name": id_or_slug})
    row = result.mappings().first()
    if row is None:
        raise TenantNotFound()
    return _tenant(row)


async def list_tenants(
    connection: AsyncConnection, *, search: str | None = None, cursor: str | None, limit: int
) -> Page[Tenant]:
    """Return a page of all tenants, oldest first; ``search`` is found in name or slug."""
    query = select(tenants).order_by(tenants.c.id).limit(limit + 1)
    if search:
        holds = (
            column.icontains(search, autoescape=True) for column in (tenants.c.name, tenants.c.slug)
        )
        query = query.where(or_(tenants.c.id == search, *holds))
    if cursor is not None:
        query = query.where(tenants.c.id > Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    return page_of([_tenant(row) for row in rows], limit, lambda tenant: tenant.id)


async def change_tenant(
    connection: AsyncConnection, caller: Principal, tenant: Tenant, changes: TenantChange
) -> Tenant:
    """Change what is given of a tenant, and record who did."""
    values = changes.model_dump(exclude_none=True)
    if not values:
        return tenant
    await connection.execute(update(tenants).where(tenants.c.id == tenant.id).values(values))
    await record(connection, caller, "tenant.change", tenant.id, tenant_id=tenant.id, detail=values)
    return tenant.model_copy(update=values)


async def rename_own_tenant(
    connection: AsyncConnection, caller: Principal, wanted: OwnTenantChange
) -> Tenant:
    """Change the name of the caller's tenant, and record who did."""
    tenant = await find_tenant(connection, caller.tenant_id)
    return await change_tenant(connection, caller, tenant, TenantChange(name=wanted.name))


async def delete_tenant(connection: AsyncConnection, caller: Principal, tenant_id: str) -> None:
    """Remove a tenant with everything it has, its usage included; raise ``NotFound``.

    Its invoices stay: they belong to the seller's books; so does what the operator did.
    """
    tenant = await find_tenant(connection, tenant_id)
    # The tenant goes first: from then on the worker counts nothing more for it.
    await connection.execute(delete(tenants).where(tenants.c.id == tenant_id))
    for table in UNTIED:
        await connection.execute(delete(table).where(table.c.tenant_id == tenant_id))
    await forget_tenant(connection, tenant_id)
    detail: dict[str, object] = {"slug": tenant.slug, "name": tenant.name}
    await record(connection, caller, "tenant.delete", tenant_id, tenant_id=tenant_id, detail=detail)
