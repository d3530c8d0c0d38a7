"""The rate limit of a platform's account, shared by all workers and API processes.

A token bucket in PostgreSQL, kept as the time at which the next request would be due: a request
moves it on by its share of a second, and waits for it if it is ahead.
"""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
from sqlalchemy import text

from backend.kit.retry_after import asked_wait
from backend.platforms.adapter import Busy
from backend.storage.database import Database

_chance = random.SystemRandom()
_PATIENCE: Final = timedelta(seconds=10)
"""A longer wait is left to the queue, so that a worker can see to others meanwhile."""

_TAKE: Final = text(
    """
    INSERT INTO platform_rates AS rate (account, next_at)
    VALUES (:account, clock_timestamp() + CAST(:share AS interval) - CAST(:burst AS interval))
    ON CONFLICT (account) DO UPDATE
    SET next_at = greatest(rate.next_at, clock_timestamp() - CAST(:burst AS interval))
        + CAST(:share AS interval)
    WHERE rate.next_at <= clock_timestamp() + CAST(:patience AS interval)
    RETURNING extract(epoch FROM next_at - CAST(:share AS interval) - clock_timestamp())
    """
)
_PAUSE: Final = text(
    """
    INSERT INTO platform_rates AS rate (account, next_at)
    VALUES (:account, clock_timestamp() + CAST(:pause AS interval))
    ON CONFLICT (account) DO UPDATE
    SET next_at = greatest(rate.next_at, clock_timestamp() + CAST(:pause AS interval))
    """
)
_TURN: Final = text(
    """
    INSERT INTO platform_rates AS rate (account, next_at)
    VALUES (:account, clock_timestamp() + CAST(:every AS interval))
    ON CONFLICT (account) DO UPDATE SET next_at = clock_timestamp() + CAST(:every AS interval)
    WHERE rate.next_at <= clock_timestamp()
    RETURNING account
    """
)


async def take_turn(database: Database, account: str, every: timedelta) -> bool:
    """Return whether it is time, and this process's turn, for what is done once in a while."""
    async with database.autocommit() as connection:
        return await connection.scalar(_TURN, {"account": account, "every": every}) is not None


class Pace:
    """Lets ``per_second`` requests through, and up to ``burst`` of them at once after a rest."""

    def __init__(
        self, database: Database, account: str, per_second: float, *, burst: float = 5
    ) -> None:
        self._database = database
        self._account = account
        self._per_second = per_second
        self._burst = timedelta(seconds=burst / per_second)

    async def take(self, requests: int = 1) -> None:
        """Wait until this many requests may be sent; raise ``Busy`` if that is long."""
        share = timedelta(seconds=requests / self._per_second)
        values = {
            "account": self._account,
            "share": share,
            "burst": self._burst,
            "patience": _PATIENCE,
        }
        async with self._database.autocommit() as connection:
            wait = await connection.scalar(_TAKE, values)
        if wait is None:
            raise Busy(_PATIENCE)
        if wait > 0:
            await asyncio.sleep(float(wait))

    async def back_off(self, answer: httpx.Response) -> Busy:
        """Let nobody send for as long as a refusal asks, a second at least; return its error."""
        asked = asked_wait(answer.headers.get("retry-after"), datetime.now(UTC))
        wait = max(asked or timedelta(), timedelta(seconds=1 + _chance.random()))
        await self.pause(wait)
        return Busy(wait)

    async def pause(self, wait: timedelta) -> None:
        """Let nobody send for a while: the platform asked for it."""
        async with self._database.autocommit() as connection:
            await connection.execute(_PAUSE, {"account": self._account, "pause": wait})
