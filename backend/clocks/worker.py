"""The worker's side of test clocks: advances those that were asked to go on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from nats.errors import Error as NatsError

from backend.clocks.advancing import advance
from backend.clocks.clocks import advancing
from backend.kit.periodic import OUTAGES, every
from backend.metering.ingest.connection import open_connection, servers_of
from backend.metering.ingest.counted import all_counted
from backend.settings import Settings
from backend.storage.database import Database

EVERY_SECONDS: Final = 0.5
_TRY_LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('test clock'), hashtext($1))"


class ClocksWorker:
    """Advances clocks, one after another. Any number may run at once: a clock is one's alone."""

    def __init__(self, database: Database, nats_url: str, settings: Settings) -> None:
        self._database = database
        self._nats_url = nats_url
        self._settings = settings

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL and of NATS."""

        async def act() -> None:
            await self.advance_all(stop)

        await every(EVERY_SECONDS, act, stop, name="clocks", outages=(NatsError, *OUTAGES))

    async def advance_all(self, stop: asyncio.Event) -> None:
        """Advance each clock that is to go on, once the usage from before is counted."""
        async with self._database.begin() as connection:
            waiting = await advancing(connection)
        for tenant_id, awaited in waiting:
            if await self._counted(awaited):
                async with self._database.raw() as lock:  # the lock ends with the connection
                    if await lock.fetchval(_TRY_LOCK, tenant_id):
                        await advance(self._database, self._settings, tenant_id, stop)

    async def _counted(self, awaited: Mapping[str, int]) -> bool:
        if not awaited:
            return True
        client = await open_connection(servers_of(self._nats_url, self._settings), "farebox-clocks")
        try:
            return await all_counted(client.jetstream(), awaited)
        finally:
            await client.close()
