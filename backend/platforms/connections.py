"""Which platform collects from a tenant, and since when."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import RowMapping, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.outbox.platform_queue import Action, Fact, enqueue_for_platforms
from backend.platforms.adapter import Adapter
from backend.platforms.errors import (
    ModeNotOffered,
    NoPlatformForTestClocks,
    NotOnPlatform,
    PlanDoesNotFit,
    PlatformCutOver,
)
from backend.platforms.queueing.subscriptions import (
    ENDS_AHEAD,
    lock_connections,
    queue_subscription,
    queue_subscription_end,
    queued_stretch,
)
from backend.platforms.queueing.usage import queue_changes
from backend.storage.tables import (
    credit_notes,
    invoices,
    platform_cursors,
)
from backend.storage.tables import platform_connections as connections
from backend.subscriptions.periods import period_at
from backend.subscriptions.queries import plan_in_force
from backend.subscriptions.segments import read_segments
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import InvoiceState
from backend_client.types.platforms import PlatformConnect, PlatformConnection, PlatformMode

_COUNT = text("SELECT count(*) FROM platform_dispatches WHERE tenant_id = :tenant_id")


async def connect(
    connection: AsyncConnection,
    tenant_id: str,
    wanted: PlatformConnect,
    adapter: Adapter,
    now: datetime,
) -> PlatformConnection:
    """Have a platform collect from a tenant; doing it again does nothing.

    The one before collects until then, so that nothing is collected by both or by none. Raises
    ``NotFound``; ``Conflict`` if the platform can't rate the plan, the tenant is on a test clock,
    or the instant is in the past or, into or out of usage, no beginning of a period.
    """
    tenant = await find_tenant(connection, tenant_id)
    if tenant.clock_at is not None:
        raise NoPlatformForTestClocks()
    starts_at = wanted.starts_at or now
    await lock_connections(connection, tenant.id)
    rows = await _rows(connection, tenant.id)
    open_row = next((row for row in rows if row["ends_at"] is None), None)
    same = open_row is not None and (open_row["platform"], open_row["mode"]) == (
        wanted.platform.value,
        wanted.mode.value,
    )
    if same and open_row is not None and wanted.starts_at in (None, open_row["starts_at"]):
        return _connection(open_row)
    if starts_at < now or any(row["starts_at"] >= starts_at for row in rows):
        raise PlatformCutOver("A platform collects from now on or later, and after the one before.")
    if why := adapter.refuses(wanted.mode, starts_at):
        raise ModeNotOffered(why)
    modes = {wanted.mode.value} | ({open_row["mode"]} if open_row is not None else set())
    if PlatformMode.USAGE.value in modes:
        await _check_usage(connection, tenant, wanted, adapter, starts_at)
    await _end(connection, tenant.id, starts_at, open_row)
    row = {
        "tenant_id": tenant.id,
        "starts_at": starts_at,
        "platform": wanted.platform.value,
        "mode": wanted.mode.value,
    }
    added = await connection.execute(insert(connections).values(row).returning(connections))
    cursors = [
        {"tenant_id": tenant.id, "platform": wanted.platform.value, "stream": stream}
        for stream in ("documents", "usage")
    ]
    await connection.execute(upsert(platform_cursors).values(cursors).on_conflict_do_nothing())
    if wanted.mode is PlatformMode.USAGE:
        await queue_subscription(connection, row, starts_at)
    return _connection(added.mappings().one())


async def disconnect(connection: AsyncConnection, tenant_id: str, now: datetime) -> None:
    """Have no platform collect from a tenant from now on; doing it again does nothing."""
    tenant = await find_tenant(connection, tenant_id)
    await lock_connections(connection, tenant.id)
    rows = await _rows(connection, tenant.id)
    open_row = next((row for row in rows if row["ends_at"] is None), None)
    if open_row is None:
        return
    if open_row["mode"] == PlatformMode.USAGE and now != open_row["starts_at"]:
        period = await period_at(connection, tenant, now)
        if period.start != now:
            await _end(connection, tenant.id, max(period.end, open_row["starts_at"]), open_row)
            return
    await _end(connection, tenant.id, now, open_row)


async def list_connections(connection: AsyncConnection, tenant_id: str) -> list[PlatformConnection]:
    """Return which platforms collect or collected from a tenant, the newest first."""
    return [_connection(row) for row in await _rows(connection, tenant_id)]


async def connection_in_force(
    connection: AsyncConnection, tenant_id: str, at: datetime
) -> PlatformConnection:
    """Return which platform collects from a tenant; raise ``Conflict`` if none does."""
    for row in await _rows(connection, tenant_id):
        if row["starts_at"] <= at and (row["ends_at"] is None or at < row["ends_at"]):
            return _connection(row)
    raise NotOnPlatform()


async def compare_soon(connection: AsyncConnection, tenant_id: str) -> None:
    """Have a worker compare both sides of a tenant's connections with its next pass.

    Raises ``Conflict`` if the tenant is on no platform.
    """
    asked = await connection.execute(
        update(connections)
        .where(connections.c.tenant_id == tenant_id)
        .values(compared_at=datetime.min.replace(tzinfo=UTC))
    )
    if not asked.rowcount:
        raise NotOnPlatform()


async def is_rated_there(
    connection: AsyncConnection, platform: str, tenant_id: str, at: datetime
) -> bool:
    """Return whether a platform rates a tenant's usage at a moment."""
    return any(
        (row["platform"], row["mode"]) == (platform, PlatformMode.USAGE)
        and row["starts_at"] <= at
        and (row["ends_at"] is None or at < row["ends_at"])
        for row in await _rows(connection, tenant_id)
    )


async def backfill(
    connection: AsyncConnection, tenant_id: str, since: datetime, now: datetime
) -> int:
    """Queue what happened since then and is not queued; return how many dispatches are new.

    The tenant's first connection is taken to have begun then. Open invoices alone are sent: nobody
    has to pay the others. A platform that rates usage is sent what changed of it since then and
    while it rates it. Raises ``Conflict`` if the tenant is on no platform.
    """
    rows = await _rows(connection, tenant_id)
    first = rows[-1] if rows else None
    if first is None:
        raise NotOnPlatform()
    before = await connection.scalar(_COUNT, {"tenant_id": tenant_id}) or 0
    if first["mode"] == PlatformMode.INVOICES:
        await _queue_invoices(connection, tenant_id, first, since)
    for row in rows:
        if row["mode"] == PlatformMode.USAGE:
            await queue_changes(connection, row, now, since=since)
    return int(await connection.scalar(_COUNT, {"tenant_id": tenant_id}) or 0) - before


async def _queue_invoices(
    connection: AsyncConnection, tenant_id: str, first: RowMapping, since: datetime
) -> None:
    if since < first["starts_at"]:
        await connection.execute(
            update(connections)
            .where(
                connections.c.tenant_id == tenant_id,
                connections.c.starts_at == first["starts_at"],
            )
            .values(starts_at=since)
        )
    query = (
        select(invoices.c.id, invoices.c.issued_at)
        .where(
            invoices.c.tenant_id == tenant_id,
            invoices.c.issued_at >= since,
            invoices.c.state == InvoiceState.FINALIZED.value,
        )
        .order_by(invoices.c.issued_at, invoices.c.id)
    )
    facts = []
    for invoice_id, issued_at in (await connection.execute(query)).all():
        facts.append(Fact(tenant_id, Action.INVOICE, invoice_id, invoice_id, issued_at))
        notes = select(credit_notes.c.id).where(
            credit_notes.c.tenant_id == tenant_id, credit_notes.c.invoice_id == invoice_id
        )
        facts += [
            Fact(tenant_id, Action.CREDIT_NOTE, invoice_id, note_id, issued_at)
            for note_id in await connection.scalars(notes.order_by(credit_notes.c.id))
        ]
    await enqueue_for_platforms(connection, facts)


async def _check_usage(
    connection: AsyncConnection,
    tenant: Tenant,
    wanted: PlatformConnect,
    adapter: Adapter,
    starts_at: datetime,
) -> None:
    period = await period_at(connection, tenant, starts_at)
    if period.start != starts_at:
        raise PlatformCutOver(
            "Who rates usage changes where a billing period begins: next at "
            f"{period.end.isoformat()}."
        )
    if wanted.mode is PlatformMode.USAGE:
        for row in await read_segments(connection, tenant.id, since=starts_at):
            turn = row["start_at"]
            if turn > starts_at and (await period_at(connection, tenant, turn)).start != turn:
                raise PlatformCutOver(
                    f"The tenant's plan changes at {turn.isoformat()}, within a billing period: "
                    "change it where one begins first."
                )
        plan = (await plan_in_force(connection, tenant, starts_at)).plan
        if obstacles := adapter.obstacles(plan, tenant.currency):
            raise PlanDoesNotFit(" ".join(obstacles))


async def _end(
    connection: AsyncConnection, tenant_id: str, at: datetime, open_row: RowMapping | None
) -> None:
    if open_row is not None and open_row["mode"] == PlatformMode.USAGE:
        stretch = await queued_stretch(connection, open_row)
        if stretch.since < at:
            await queue_subscription_end(connection, open_row, stretch.since, at, at - ENDS_AHEAD)
    await connection.execute(
        update(connections)
        .where(connections.c.tenant_id == tenant_id, connections.c.ends_at.is_(None))
        .values(ends_at=at)
    )


async def _rows(connection: AsyncConnection, tenant_id: str) -> list[RowMapping]:
    query = (
        select(connections)
        .where(connections.c.tenant_id == tenant_id)
        .order_by(connections.c.starts_at.desc())
    )
    return list((await connection.execute(query)).mappings())


def _connection(row: RowMapping) -> PlatformConnection:
    return PlatformConnection.model_validate(dict(row))
