"""Refused sign-ins in the audit, as many as somebody can read: strangers can't fill the table."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal

from backend.accounts.audit.writing import record_failed_sign_in
from backend.errors import FareboxError, Forbidden, Unauthenticated
from backend.storage.database import Database

_MOST: Final = 20
_WITHIN_SECONDS: Final = 60.0


class FailedSignIns:
    """Records the first refusals of each minute, and with the next how many more there were.

    One a process.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._since = float("-inf")
        self._recorded = 0
        self._unrecorded = 0

    @asynccontextmanager
    async def watched(self, way: Literal["oidc", "local"]) -> AsyncIterator[None]:
        """Record a refusal that the block raises, and raise it."""
        try:
            yield
        except (Forbidden, Unauthenticated) as refusal:
            await self._note(way, refusal)
            raise

    async def _note(self, way: str, refusal: FareboxError) -> None:
        now = self._clock()
        if now - self._since >= _WITHIN_SECONDS:
            self._since, self._recorded = now, 0
        if self._recorded >= _MOST:
            self._unrecorded += 1
            return
        self._recorded += 1
        unrecorded, self._unrecorded = self._unrecorded, 0
        async with self._database.begin() as connection:
            await record_failed_sign_in(connection, way, refusal.code, unrecorded=unrecorded)
