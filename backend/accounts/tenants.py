"""Tenants and their applications."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit import record
from backend.accounts.errors import (
    ApplicationNameTaken,
    ApplicationNotFound,
    TenantNotFound,
    TenantSlugTaken,
)
from backend.accounts.idempotency import claim_key
from backend.accounts.principal import Principal
from backend.errors import InvalidInput
from backend.ids import new_id
from backend.kit.pages import Cursor, page_of
from backend.storage.tables import (
    applications,
    corrections,
    daily_rollups,
    event_archives,
    events,
    notifications,
    rollups,
    tenants,
    usage_versions,
)
from backend_client.types.accounts import (
    Application,
    ApplicationCreate,
    Tenant,
    TenantChange,
    TenantCreate,
)
from backend_client.types.common import Page
from backend_client.types.problems import FieldError

DEFAULT_APPLICATION = "Default"
UNTIED = (
    events,
    corrections,
    event_archives,
    rollups,
    daily_rollups,
    usage_versions,
    notifications,
)
"""A tenant's tables that are deleted with it though no foreign key ties them to it: usage, which is
written too often to check one, and notifications, which report invoices even afterwards."""


def _tenant(row: RowMapping) -> Tenant:
    return Tenant.model_validate(dict(row))


def _application(row: RowMapping) -> Application:
    return Application.model_validate(dict(row))


async def create_tenant(connection: AsyncConnection, wanted: TenantCreate) -> Tenant:
    """Create a tenant and its first application; raise ``Conflict`` if the slug is taken."""
    try:
        ZoneInfo(wanted.time_zone)
    except (KeyError, ValueError, OSError):
        raise InvalidInput(
            f"{wanted.time_zone!r} is not a time zone.",
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
                    time_zone=wanted.time_zone,
                    currency=wanted.currency,
                    is_sample=wanted.is_sample,
                )
                .returning(tenants)
            )
    except IntegrityError:
        raise TenantSlugTaken(f"There is a tenant {wanted.slug!r} already.") from None
    tenant = _tenant(row.mappings().one())
    await create_application(connection, tenant.id, ApplicationCreate(name=DEFAULT_APPLICATION))
    return tenant


async def find_tenant(connection: AsyncConnection, id_or_slug: str) -> Tenant:
    """Return a tenant; raise ``NotFound``."""
    result = await connection.execute(
        select(tenants).where(or_(tenants.c.id == id_or_slug, tenants.c.slug == id_or_slug))
    )
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


async def delete_tenant(connection: AsyncConnection, tenant_id: str) -> None:
    """Remove a tenant with everything it has, its usage included; raise ``NotFound``.

    Its invoices stay: they belong to the seller's books.
    """
    await find_tenant(connection, tenant_id)
    # The tenant goes first: from then on the worker counts nothing more for it.
    await connection.execute(delete(tenants).where(tenants.c.id == tenant_id))
    for table in UNTIED:
        await connection.execute(delete(table).where(table.c.tenant_id == tenant_id))


async def create_application(
    connection: AsyncConnection,
    tenant_id: str,
    wanted: ApplicationCreate,
    *,
    idempotency_key: str | None = None,
) -> Application:
    """Create an application; raise ``Conflict`` if the tenant has one of that name.

    With an ``idempotency_key`` used before, return the application of then.
    """
    application_id = new_id("app")
    if idempotency_key is not None:
        request = f"application {wanted.model_dump_json()}"
        created_id = await claim_key(
            connection, tenant_id, idempotency_key, request, application_id
        )
        if created_id is not None:
            return await find_application(connection, tenant_id, created_id)
    try:
        async with connection.begin_nested():
            row = await connection.execute(
                insert(applications)
                .values(tenant_id=tenant_id, id=application_id, name=wanted.name)
                .returning(applications)
            )
    except IntegrityError:
        raise ApplicationNameTaken(f"There is an application {wanted.name!r} already.") from None
    return _application(row.mappings().one())


async def find_application(
    connection: AsyncConnection, tenant_id: str, application_id: str
) -> Application:
    """Return one of the tenant's applications; raise ``NotFound``."""
    result = await connection.execute(
        select(applications).where(
            applications.c.tenant_id == tenant_id, applications.c.id == application_id
        )
    )
    row = result.mappings().first()
    if row is None:
        raise ApplicationNotFound()
    return _application(row)


async def list_applications(
    connection: AsyncConnection, tenant_id: str, *, cursor: str | None, limit: int
) -> Page[Application]:
    """Return a page of the tenant's applications, oldest first."""
    query = (
        select(applications)
        .where(applications.c.tenant_id == tenant_id)
        .order_by(applications.c.id)
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(applications.c.id > Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    return page_of([_application(row) for row in rows], limit, lambda application: application.id)
