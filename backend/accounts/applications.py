"""Applications: made, renamed, archived."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import RowMapping, func, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.budgets import budget_of, budget_values
from backend.accounts.current_role import role_now
from backend.accounts.errors import (
    ApplicationArchived,
    ApplicationHasKeys,
    ApplicationNameTaken,
    ApplicationNotFound,
    LastApplication,
)
from backend.accounts.idempotency import claim_key
from backend.accounts.principal import Permission, Principal
from backend.errors import InvalidInput
from backend.ids import new_id
from backend.kit.pages import Cursor, page_of
from backend.storage.tables import api_keys, applications, models
from backend.storage.tenant_rows import change_tenant_row, tenant_row, tenant_rows
from backend_client.types.accounts import Application, ApplicationChange, ApplicationCreate
from backend_client.types.common import Page
from backend_client.types.limits import ModelLimits, RateLimits
from backend_client.types.problems import FieldError


def application_of(row: RowMapping) -> Application:
    """Return the application that a row is."""
    limits = {name: row[name] for name in RateLimits.model_fields}
    return Application.model_validate({**row, "limits": limits, "budget": budget_of(row)})


async def create_application(
    connection: AsyncConnection,
    tenant_id: str,
    wanted: ApplicationCreate,
    *,
    idempotency_key: str | None = None,
    by: Principal | None = None,
) -> Application:
    """Create an application; raise ``Conflict`` if the tenant has one of that name.

    ``by`` is whose act it is: the audit has it, once.

    With an ``idempotency_key`` used before, return the application of then.
    """
    if by is not None:
        await role_now(connection, by, Permission.APPLICATIONS_WRITE)
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
    if by is not None:
        await record(connection, by, "application.create", application_id, tenant_id=tenant_id)
    return application_of(row.mappings().one())


async def find_application(
    connection: AsyncConnection, tenant_id: str, application_id: str
) -> Application:
    """Return one of the tenant's applications; raise ``NotFound``."""
    row = await tenant_row(connection, applications, tenant_id, application_id)
    if row is None:
        raise ApplicationNotFound()
    return application_of(row)


async def application_for_keys(
    connection: AsyncConnection, tenant_id: str, application_id: str
) -> Application:
    """Return an application that a key is made for; it is not archived while the key is made.

    Raises ``NotFound``, and ``Conflict`` if it is archived.
    """
    result = await connection.execute(
        select(applications)
        .where(applications.c.tenant_id == tenant_id, applications.c.id == application_id)
        .with_for_update(read=True)
    )
    row = result.mappings().first()
    if row is None:
        raise ApplicationNotFound()
    if row["archived_at"] is not None:
        raise ApplicationArchived(f"The application {row['name']!r} is archived.")
    return application_of(row)


async def check_limited_models(
    connection: AsyncConnection, limits: Collection[ModelLimits]
) -> None:
    """Raise ``InvalidInput`` if limits name a model that the catalog does not have."""
    named = sorted({model for each in limits for model in each.models})
    if not named:
        return
    listed = set(await connection.scalars(select(models.c.id).where(models.c.id.in_(named))))
    for place, each in enumerate(limits):
        unknown = next((model for model in each.models if model not in listed), None)
        if unknown is not None:
            field = f"model_limits.{place}.models"
            raise InvalidInput(
                f"There is no model {unknown!r}.",
                errors=[FieldError(field=field, detail="use ids of the catalog")],
            )


async def change_application(
    connection: AsyncConnection,
    caller: Principal,
    application_id: str,
    change: ApplicationChange,
    now: datetime,
) -> Application:
    """Change what is given of an application of the caller's tenant; record who did.

    Raises ``Forbidden``, ``NotFound``; ``InvalidInput`` for limits on an unknown model;
    ``Conflict`` if the name is taken, if one of its keys still works or may again, or if it is the
    last in use.
    """
    await role_now(connection, caller, Permission.APPLICATIONS_WRITE)
    # All of the tenant's: two at once could archive each other's last
    rows = await connection.execute(
        select(applications)
        .where(applications.c.tenant_id == caller.tenant_id)
        .order_by(applications.c.id)
        .with_for_update()
    )
    by_id = {row["id"]: row for row in rows.mappings()}
    row = by_id.get(application_id)
    if row is None:
        raise ApplicationNotFound()
    values: dict[str, object] = {}
    detail: dict[str, object] = {}
    if change.name is not None and change.name != row["name"]:
        values["name"] = detail["name"] = change.name
    archived = row["archived_at"] is not None
    if change.archived is not None and change.archived != archived:
        if change.archived:
            if not any(
                other["archived_at"] is None for other in by_id.values() if other is not row
            ):
                raise LastApplication(f"{row['name']!r} is the only one that is not archived.")
            await _check_no_working_keys(connection, row, now)
        values["archived_at"] = now if change.archived else None
        detail["archived"] = change.archived
    if change.limits is not None:
        values |= change.limits.model_dump()
    if change.model_limits is not None:
        await check_limited_models(connection, change.model_limits)
        values["model_limits"] = [each.model_dump() for each in change.model_limits]
    if "budget" in change.model_fields_set:
        values |= budget_values(change.budget)
        detail |= change.model_dump(mode="json", include={"budget"})
    detail |= change.model_dump(mode="json", include={"limits", "model_limits"}, exclude_none=True)
    if not values:
        return application_of(row)
    try:
        async with connection.begin_nested():
            changed = await change_tenant_row(
                connection, applications, caller.tenant_id, application_id, values
            )
    except IntegrityError:
        raise ApplicationNameTaken(f"There is an application {change.name!r} already.") from None
    if changed is None:
        raise ApplicationNotFound()
    await record(connection, caller, "application.change", application_id, detail=detail)
    return application_of(changed)


async def list_applications(
    connection: AsyncConnection, tenant_id: str, *, cursor: str | None, limit: int
) -> Page[Application]:
    """Return a page of the tenant's applications, oldest first."""
    after = None if cursor is None else Cursor.read(cursor)
    rows = await tenant_rows(connection, applications, tenant_id, after=after, limit=limit)
    return page_of([application_of(row) for row in rows], limit, lambda application: application.id)


async def _check_no_working_keys(
    connection: AsyncConnection, row: RowMapping, now: datetime
) -> None:
    working = await connection.scalar(
        select(func.count())
        .select_from(api_keys)
        .where(
            api_keys.c.tenant_id == row["tenant_id"],
            api_keys.c.application_id == row["id"],
            api_keys.c.revoked_at.is_(None),
            or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
        )
    )
    if working:
        keys = "1 key" if working == 1 else f"{working} keys"
        raise ApplicationHasKeys(f"{keys} of {row['name']!r} can still be used; revoke them first.")
