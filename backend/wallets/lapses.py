"""Holds that lapse: their calls were not settled within an hour."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.clocks import acted_on
from backend.metering.counting.stored import EVENT, event_of
from backend.metering.events import GATEWAY_SOURCE
from backend.storage.database import Database, driver_connection
from backend.storage.tables import credit_reservations
from backend.wallets.holds import release
from backend.wallets.prepayment import correct_call

_BATCH = 1000
_COUNTED = f"{EVENT} WHERE (tenant_id, sender, source, id) = ($1, 'gateway', $2, $3)"


async def end_lapsed(database: Database, now: datetime, *, only: str | None = None) -> int:
    """End holds that have lapsed; return how many.

    Or those of ``only`` one tenant, also one on a test clock.

    A gateway that was killed may have recorded its call, and PostgreSQL may have lost a settlement
    in a crash: a call whose event is counted is settled by that. Any other is released, and paid
    from what is available if it is settled afterwards.
    """
    async with database.begin() as connection:
        rows = await connection.execute(
            select(credit_reservations.c.tenant_id, credit_reservations.c.id)
            .where(
                credit_reservations.c.state == "open",
                credit_reservations.c.lapses_at <= now,
                acted_on(credit_reservations.c.tenant_id, only),
            )
            .limit(_BATCH)
        )
        lapsed = rows.all()
    for tenant_id, hold in lapsed:
        async with database.begin() as connection:
            await _settle_counted(connection, tenant_id, hold, now)
            await release(connection, tenant_id, hold, now)  # unless it was settled
    return len(lapsed)


async def _settle_counted(
    connection: AsyncConnection, tenant_id: str, call_id: str, now: datetime
) -> None:
    """Settle a call by its event, if that is counted."""
    driver = await driver_connection(connection)
    row = await driver.fetchrow(_COUNTED, tenant_id, GATEWAY_SOURCE, call_id)
    if row is None:
        return
    event = event_of(row)
    used = {} if row["voided"] else event.quantities
    await correct_call(connection, tenant_id, call_id, event.model, used, now, event.labels)
