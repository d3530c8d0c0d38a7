"""The worker's side of wallets: credit expires, plans' credit comes, reservations lapse."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

import structlog
from sqlalchemy import or_, select, union
from sqlalchemy.exc import SQLAlchemyError

from backend.storage.database import Database
from backend.storage.tables import credit_grants, wallets
from backend.wallets.reservations import release_lapsed
from backend.wallets.top_ups import refresh_if_moved

_log = structlog.get_logger(__name__)

_EVERY_SECONDS = 30.0
_BATCH = 1000


class WalletsWorker:
    """Looks at what is due. As many as wanted may run at once: each act happens once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; outlive the loss of PostgreSQL."""
        while not stop.is_set():
            try:
                await keep_wallets(self._database, datetime.now(UTC))
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                _log.warning("wallets.interrupted", error=str(error) or type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _EVERY_SECONDS)


async def keep_wallets(database: Database, now: datetime) -> int:
    """Do all that is due by ``now``; return how many wallets were looked at."""
    await release_lapsed(database, now)
    seen: set[str] = set()
    while True:
        async with database.begin() as connection:
            due = union(
                select(credit_grants.c.tenant_id).where(
                    credit_grants.c.available > 0,
                    credit_grants.c.expires_at <= now,
                    credit_grants.c.in_arrears.is_(False),
                ),
                select(wallets.c.tenant_id).where(
                    or_(wallets.c.grants_until.is_(None), wallets.c.grants_until <= now)
                ),
            ).limit(_BATCH)
            found = [one for one in await connection.scalars(due) if one not in seen]
        if not found:
            return len(seen)
        for tenant_id in found:
            async with database.begin() as connection:
                await refresh_if_moved(connection, tenant_id, now)
        seen.update(found)
