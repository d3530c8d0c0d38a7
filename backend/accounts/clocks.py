"""Which time it is for a tenant: real time, or where its test clock stands.

Routers ask ``now_of`` or ``tenant_now`` for whatever bills, grants or counts. What a person or a
credential does (sign-in, keys, audit) is of real time for all. A worker's query leaves out the
tenants on clocks by ``acted_on``: theirs is done when their clock is advanced.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.errors import InvalidInput
from backend.storage.tables import tenants, test_clocks
from backend_client.types.accounts import Tenant

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""Where a clock can begin."""


def now_of(tenant: Tenant) -> datetime:
    """Return the instant that it is for a tenant, as it was read."""
    return tenant.clock_at or datetime.now(UTC)


async def tenant_now(connection: AsyncConnection, tenant_id: str) -> datetime:
    """Return the instant that it is for a tenant; real time if there is no such tenant."""
    clock_at: datetime | None = await connection.scalar(
        select(tenants.c.clock_at).where(tenants.c.id == tenant_id)
    )
    return clock_at or datetime.now(UTC)


def acted_on(of: ColumnElement[str], tenant_id: str | None) -> ColumnElement[bool]:
    """Return the condition on a tenant's id for what is done now: for one tenant, or for all.

    All are those in real time. Tenants that were removed stay out if they were on a clock.
    """
    if tenant_id is not None:
        return of == tenant_id
    return of.not_in(select(test_clocks.c.tenant_id))


async def start_clock(connection: AsyncConnection, tenant_id: str) -> None:
    """Record that a new tenant is on a clock, for good."""
    await connection.execute(insert(test_clocks).values(tenant_id=tenant_id))


def check_start(at: datetime) -> None:
    """Raise ``InvalidInput`` for an instant that no clock can begin at."""
    if not EARLIEST <= at < LATEST:
        raise InvalidInput.of_field("clock_at", "is not within 2000 and 2099")
