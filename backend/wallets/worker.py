"""The worker's side of wallets: credit expires, plans' credit comes, holds lapse."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import or_, select, union

from backend.accounts.clocks import acted_on
from backend.kit.periodic import every
from backend.storage.database import Database
from backend.storage.tables import credit_grants, wallets
from backend.wallets.lapses import end_lapsed
from backend.wallets.top_ups import refresh_if_moved

EVERY_SECONDS: Final = 30.0
_BATCH = 1000


class WalletsWorker:
    """Does what is due. Any number may run at once: each act happens once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""

        async def act() -> None:
            await keep_wallets(self._database, datetime.now(UTC))

        await every(EVERY_SECONDS, act, stop, name="wallets")


async def keep_wallets(database: Database, now: datetime, *, only: str | None = None) -> int:
    """Do all that is due by ``now``; return how many wallets were refreshed.

    Or that is due of ``only`` one tenant, also of one on a test clock.
    """
    await end_lapsed(database, now, only=only)
    seen: set[str] = set()
    while True:
        async with database.begin() as connection:
            due = union(
                select(credit_grants.c.tenant_id).where(
                    credit_grants.c.available > 0,
                    credit_grants.c.expires_at <= now,
                    credit_grants.c.in_arrears.is_(False),
                    acted_on(credit_grants.c.tenant_id, only),
                ),
                select(wallets.c.tenant_id).where(
                    or_(wallets.c.grants_until.is_(None), wallets.c.grants_until <= now),
                    acted_on(wallets.c.tenant_id, only),
                ),
            ).limit(_BATCH)
            tenant_ids = [
                tenant_id for tenant_id in await connection.scalars(due) if tenant_id not in seen
            ]
        if not tenant_ids:
            return len(seen)
        for tenant_id in tenant_ids:
            async with database.begin() as connection:
                await refresh_if_moved(connection, tenant_id, now)
        seen.update(tenant_ids)
