"""Delivers over one channel, at least once; any number of workers may run."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.kit.periodic import every
from backend.outbox.channels.channel import Channel, NotDelivered, Pointless
from backend.outbox.claims import (
    LEASE,
    Claim,
    claim_due_deliveries,
    release_claim,
    set_delivered,
    set_undelivered,
)
from backend.outbox.events import event_from
from backend.outbox.retrying import next_attempt
from backend.storage.database import Database

_log = structlog.get_logger(__name__)
_jitter = random.SystemRandom()

EVERY_SECONDS: Final = 2.0
"""Between two looks for what is new or due."""
_PATIENCE = LEASE / 2
"""How long an attempt may take in all."""
_GRACE_SECONDS = 5.0
"""Time for attempts under way when the worker stops."""


class Delivering:
    """Tries what is due, a batch at a time. ``lease`` is for how long a batch is claimed."""

    def __init__(
        self,
        database: Database,
        channel: Channel,
        *,
        lease: timedelta = LEASE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._channel = channel
        self._lease = lease
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""

        async def act() -> bool:
            return await self.deliver_due(stop) > 0

        await every(EVERY_SECONDS, act, stop, name="notifications")

    async def deliver_due(self, stop: asyncio.Event) -> int:
        """Try a batch of what is due; return how many were tried.

        When ``stop`` is set attempts under way get five seconds, and are then released.
        """
        async with self._database.begin() as connection:
            claims = await claim_due_deliveries(
                connection,
                self._channel.name,
                self._clock(),
                limit=self._channel.at_once,
                lease=self._lease,
            )
        if claims:
            await self._finish(
                [asyncio.create_task(self._attempt(claim)) for claim in claims], stop
            )
        return len(claims)

    async def _finish(self, attempts: Sequence[asyncio.Task[None]], stop: asyncio.Event) -> None:
        done = asyncio.gather(*attempts, return_exceptions=True)
        stopped = asyncio.create_task(stop.wait())
        either: list[asyncio.Future[Any]] = [done, stopped]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([done], timeout=_GRACE_SECONDS)
        finally:
            stopped.cancel()
            for attempt in attempts:
                attempt.cancel()  # does nothing if it is done
        await asyncio.wait(attempts)
        for attempt in attempts:
            if not attempt.cancelled():
                attempt.result()

    async def _attempt(self, claim: Claim) -> None:
        sending = asyncio.create_task(self._send(claim))
        try:
            await asyncio.wait([sending], timeout=_PATIENCE.total_seconds())
        except asyncio.CancelledError:
            async with self._database.begin() as connection:
                await release_claim(connection, claim, self._clock())
            raise
        finally:
            sending.cancel()
        await asyncio.wait([sending])
        error = TimeoutError() if sending.cancelled() else sending.exception()
        async with self._database.begin() as connection:
            await self._note(connection, claim, error)

    async def _send(self, claim: Claim) -> None:
        await self._channel.send(event_from(claim.row))

    async def _note(
        self, connection: AsyncConnection, claim: Claim, error: BaseException | None
    ) -> None:
        now = self._clock()
        log = _log.bind(id=claim.id, kind=claim.row["kind"], channel=claim.channel.value)
        if error is None:
            await set_delivered(connection, claim, now)
            log.info("notifications.delivered", attempts=claim.attempts)
            return
        if isinstance(error, Pointless):
            await set_undelivered(connection, claim, error.reason, skipped=True)
            log.info("notifications.skipped", reason=error.reason)
            return
        failure = _failure(error)
        again = None
        if not failure.final:
            chance = _jitter.random()
            again = next_attempt(claim.attempts, now, claim.give_up_at, chance, failure.wait)
        await set_undelivered(connection, claim, failure.reason, next_attempt_at=again)
        log.warning(
            "notifications.not_delivered" if again else "notifications.failed",
            attempts=claim.attempts,
            reason=failure.reason,
            exc_info=None if isinstance(error, NotDelivered | TimeoutError) else error,
        )


def _failure(error: BaseException) -> NotDelivered:
    if isinstance(error, NotDelivered):
        return error
    if isinstance(error, TimeoutError):
        return NotDelivered(f"It took longer than {_PATIENCE.total_seconds():g} s.")
    # A fault of our own: a later version may fix it, and it must not stop the worker
    return NotDelivered(f"It could not be made ready to send ({type(error).__name__}).")
