"""Of which applications bodies are kept: an admin's to switch on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.applications import find_application
from backend.accounts.audit.writing import record
from backend.accounts.principal import Principal
from backend.storage.tables import body_logging, request_bodies
from backend_client.types.requests import BodyLogging


class Kept(NamedTuple):
    """For how many days an application's bodies are kept, and whether redacted."""

    days: int
    redacted: bool


async def find_body_logging(
    connection: AsyncConnection, tenant_id: str, application_id: str
) -> BodyLogging:
    """Return what is kept of an application's bodies; raises ``ApplicationNotFound``."""
    await find_application(connection, tenant_id, application_id)
    rows = await connection.execute(
        select(body_logging).where(
            body_logging.c.tenant_id == tenant_id,
            body_logging.c.application_id == application_id,
        )
    )
    row = rows.mappings().first()
    if row is None:
        return BodyLogging(enabled=False)
    return BodyLogging(enabled=True, days=row["days"], redacted=row["redacted"])


async def set_body_logging(
    connection: AsyncConnection, caller: Principal, application_id: str, wanted: BodyLogging
) -> BodyLogging:
    """Switch an application's bodies on or off; off removes those that there are.

    Fewer days hold for what is kept already too. Raises ``ApplicationNotFound``.
    """
    tenant_id = caller.tenant_id
    await find_application(connection, tenant_id, application_id)
    ours = (
        body_logging.c.tenant_id == tenant_id,
        body_logging.c.application_id == application_id,
    )
    bodies = (
        request_bodies.c.tenant_id == tenant_id,
        request_bodies.c.application_id == application_id,
    )
    if wanted.enabled:
        values = {"days": wanted.days, "redacted": wanted.redacted}
        await connection.execute(
            insert(body_logging)
            .values(tenant_id=tenant_id, application_id=application_id, **values)
            .on_conflict_do_update(index_elements=list(body_logging.primary_key), set_=values)
        )
        latest = request_bodies.c.time + timedelta(days=wanted.days)
        await connection.execute(
            update(request_bodies)
            .where(*bodies, request_bodies.c.expires_at > latest)
            .values(expires_at=func.least(request_bodies.c.expires_at, latest))
        )
    else:
        # The setting first: bodies are written only while they hold its row
        await connection.execute(delete(body_logging).where(*ours))
        await connection.execute(delete(request_bodies).where(*bodies))
    detail = wanted.model_dump(mode="json")
    await record(connection, caller, "application.body_logging", application_id, detail=detail)
    return await find_body_logging(connection, tenant_id, application_id)


async def all_kept(connection: AsyncConnection) -> dict[tuple[str, str], Kept]:
    """Return every application whose bodies are kept, by tenant and application."""
    rows = await connection.execute(select(body_logging))
    return {
        (row["tenant_id"], row["application_id"]): Kept(row["days"], row["redacted"])
        for row in rows.mappings()
    }


def expiry(began: datetime, days: int) -> datetime:
    """Return until when a body is kept."""
    return began.astimezone(UTC) + timedelta(days=days)
