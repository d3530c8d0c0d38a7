"""Applies the inbox: fetches what each message is about, and brings it in."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy import RowMapping

from backend.errors import FareboxError
from backend.invoices.taxing.answers import TaxAnswers, with_answers
from backend.invoices.taxing.service import tax_service
from backend.outbox.channels.channel import NotDelivered
from backend.outbox.claims import LEASE
from backend.outbox.retrying import GIVE_UP_AFTER, next_attempt
from backend.platforms.adapter import Adapter
from backend.platforms.receiving.inbox import claim_messages, message_of, set_applied, set_later
from backend.platforms.remote_facts.taking import take_fact
from backend.settings import Settings
from backend.storage.database import Database

_log = structlog.get_logger(__name__)
_jitter = random.SystemRandom()

_AT_ONCE: Final = 20


class Applying:
    """Applies messages of the inbox. Any number may run at once."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        adapters: Mapping[str, Adapter],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._settings = settings
        self._adapters = adapters
        self._clock = clock

    async def apply_due(self, stop: asyncio.Event) -> int:
        """Apply what is due; return how many messages were tried."""
        async with self._database.begin() as connection:
            rows = await claim_messages(
                connection, list(self._adapters), self._clock(), limit=_AT_ONCE, lease=LEASE
            )
        for row in rows:
            if stop.is_set():
                break
            await self._apply(row)
        return len(rows)

    async def _apply(self, row: RowMapping) -> None:
        adapter = self._adapters[row["platform"]]
        now = self._clock()
        try:
            facts = await adapter.read(message_of(row))
            async with tax_service(self._settings) as service:
                answers = TaxAnswers(service)

                async def take() -> None:
                    async with self._database.begin() as connection:
                        applied = [
                            await take_fact(
                                connection, self._settings, adapter.name, fact, now, answers
                            )
                            for fact in facts
                        ]
                        await set_applied(connection, row, now, ignored=not any(applied))

                await with_answers(answers, take)
        except (NotDelivered, FareboxError) as error:
            wait = error.wait if isinstance(error, NotDelivered) else None
            reason = error.reason if isinstance(error, NotDelivered) else error.detail
            give_up_at = row["received_at"] + GIVE_UP_AFTER
            again = next_attempt(row["attempts"], now, give_up_at, _jitter.random(), wait)
            async with self._database.begin() as connection:
                await set_later(connection, row, reason, again)
            _log.warning("platforms.not_applied", kind=row["kind"], reason=reason)
