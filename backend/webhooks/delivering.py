"""Delivers to customers' endpoints, at least once each; any number of workers may run."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from backend.kit.periodic import every
from backend.kit.sealing import Sealer
from backend.outbox.events import event_from
from backend.outbox.retrying import next_attempt
from backend.storage.database import Database
from backend.webhooks.claims import (
    LEASE,
    Claim,
    claim_due,
    end_attempt,
    set_delivered,
    set_undelivered,
)
from backend.webhooks.disabling import note_failure, note_success
from backend.webhooks.secrets import signing_secrets
from backend.webhooks.sending import TIMEOUT_SECONDS, Outcome, post_event

_log = structlog.get_logger(__name__)
_jitter = random.SystemRandom()

EVERY_SECONDS: Final = 2.0
"""Between two looks for what is new or due."""
_AT_ONCE: Final = 32
_EACH: Final = 4
"""Requests under way at a time: of a worker, and to one endpoint."""
_GRACE_SECONDS: Final = 5.0
"""Time for requests under way when the worker stops."""
_STOPPED: Final = "Farebox was stopped during the attempt."
_UNREADABLE: Final = "The secret can't be opened: rotate it."


class WebhookDelivering:
    """Tries what is due, several at a time. ``disable_after`` is how long an endpoint may fail."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        networks: Sequence[str],
        disable_after: timedelta,
        *,
        lease: timedelta = LEASE,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._networks = networks
        self._disable_after = disable_after
        self._lease = lease
        self._timeout = timeout_seconds
        self._clock = clock
        self._running: dict[asyncio.Task[None], tuple[str, str]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""
        stopped = asyncio.create_task(stop.wait())

        async def act() -> bool:
            claimed = await self.begin_due()
            if not self._running:
                return False
            if not claimed or len(self._running) >= _AT_ONCE:
                # What has ended makes room, for its endpoint too
                await asyncio.wait(
                    [stopped, *self._running],
                    timeout=EVERY_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            return True

        try:
            await every(EVERY_SECONDS, act, stop, name="webhooks")
        finally:
            stopped.cancel()
            await self._finish()

    async def deliver_due(self) -> int:
        """Try all that is due now, and what becomes so meanwhile; return how many were tried."""
        tried = 0
        while claimed := await self.begin_due():
            tried += claimed
            await asyncio.gather(*self._running)
        return tried

    async def begin_due(self) -> int:
        """Begin to try what is due, as far as there is room; return how many."""
        room = _AT_ONCE - len(self._running)
        if not room:
            return 0
        under_way = Counter(self._running.values())
        async with self._database.begin() as connection:
            claims = await claim_due(
                connection,
                self._clock(),
                limit=room,
                each=_EACH,
                # Beside what is under way there would be more than may be
                busy=list(under_way),
                lease=self._lease,
            )
        for claim in claims:
            task = asyncio.create_task(self._attempt(claim))
            self._running[task] = claim.endpoint
            task.add_done_callback(self._ended)
        return len(claims)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease ends, and then it is tried again
            _log.warning("webhooks.not_recorded", error=str(error) or type(error).__name__)

    async def _finish(self) -> None:
        if not self._running:
            return
        running = list(self._running)
        await asyncio.wait(running, timeout=_GRACE_SECONDS)
        for task in running:
            task.cancel()
        await asyncio.wait(running)

    async def _attempt(self, claim: Claim) -> None:
        began = time.monotonic()
        try:
            outcome = await self._send(claim)
        except asyncio.CancelledError:
            now = self._clock()
            async with self._database.begin() as connection:
                await end_attempt(connection, claim, _since(began), reason=_STOPPED)
                await set_undelivered(connection, claim, _STOPPED, now)
            raise
        await self._note(claim, outcome, _since(began))

    async def _send(self, claim: Claim) -> Outcome:
        try:
            body = event_from(claim.row).model_dump_json().encode()
        except ValueError:
            # A fault of our own: a later version may fix it, and nothing else waits for it
            _log.exception("webhooks.unreadable", id=claim.event_id)
            return Outcome(reason="It could not be made ready to send.")
        async with self._database.begin() as connection:
            secrets = await signing_secrets(connection, self._sealer, *claim.endpoint)
        if not secrets:
            return Outcome(reason=_UNREADABLE)
        return await post_event(
            claim.url,
            secrets,
            claim.event_id,
            body,
            self._networks,
            timeout_seconds=self._timeout,
        )

    async def _note(self, claim: Claim, outcome: Outcome, duration_ms: int) -> None:
        now = self._clock()
        log = _log.bind(id=claim.event_id, endpoint=claim.endpoint_id, attempt=claim.number)
        async with self._database.begin() as connection:
            if outcome.reason is None:
                await note_success(connection, *claim.endpoint)
                await set_delivered(connection, claim, now)
            else:
                await note_failure(
                    connection,
                    *claim.endpoint,
                    outcome.reason,
                    now,
                    disable_after=self._disable_after,
                    is_gone=outcome.gone,
                )
                again = next_attempt(
                    claim.tries, now, claim.give_up_at, _jitter.random(), outcome.wait
                )
                await set_undelivered(connection, claim, outcome.reason, again)
            await end_attempt(
                connection,
                claim,
                duration_ms,
                status=outcome.status,
                answer=outcome.answer,
                reason=outcome.reason,
            )
        log.info("webhooks.tried", status=outcome.status, reason=outcome.reason)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
