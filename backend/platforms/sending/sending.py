"""Sends what waits for a platform, so that it is there once; any number of workers may run."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import RowMapping

from backend.errors import FareboxError
from backend.kit.periodic import OUTAGES
from backend.outbox.channels.channel import NotDelivered
from backend.outbox.claims import LEASE
from backend.outbox.retrying import delivery_pause
from backend.platforms.adapter import Adapter, AnswerSpoiled, Attempt, Busy, Refused
from backend.platforms.remote_ids import StoredMemory
from backend.platforms.sending.dispatches import (
    StreamClaim,
    begin_attempts,
    claim_streams,
    next_due,
    release,
    renew,
    set_done,
    set_refused,
    set_waiting,
)
from backend.platforms.sending.performing import perform
from backend.platforms.sending.usage import send_usage
from backend.storage.database import Database

_log = structlog.get_logger(__name__)
_jitter = random.SystemRandom()

STREAMS_AT_ONCE: Final = 8
"""Tenants' streams that a worker sends side by side."""
_USAGE_AT_ONCE: Final = 100


class Sending:
    """Sends what is due. ``lease`` is for how long a stream is claimed, and renewed."""

    def __init__(
        self,
        database: Database,
        adapters: Mapping[str, Adapter],
        *,
        lease: timedelta = LEASE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._adapters = adapters
        self._lease = lease
        self._clock = clock

    async def send_due(self, stop: asyncio.Event, tenant_id: str | None = None) -> int:
        """Send what is due in some tenants' streams; return how many dispatches were tried."""
        async with self._database.begin() as connection:
            claims = await claim_streams(
                connection,
                list(self._adapters),
                self._clock(),
                limit=STREAMS_AT_ONCE,
                lease=self._lease,
                tenant_id=tenant_id,
            )
        tried = await asyncio.gather(*(self._send_stream(claim, stop) for claim in claims))
        return sum(tried)

    async def _send_stream(self, claim: StreamClaim, stop: asyncio.Event) -> int:
        adapter = self._adapters[claim.platform]
        memory = StoredMemory(self._database, claim.platform, claim.tenant_id)
        tried = 0
        try:
            while not stop.is_set():
                async with self._database.begin() as connection:
                    if not await renew(connection, claim, self._clock(), self._lease):
                        break
                    limit = _USAGE_AT_ONCE if claim.stream == "usage" else 1
                    rows = await next_due(connection, claim, self._clock(), limit=limit)
                    if not rows:
                        break
                    groups = await begin_attempts(connection, rows, self._clock())
                tried += len(rows)
                if not await self._attempt(adapter, memory, rows, groups):
                    break
        finally:
            async with self._database.begin() as connection:
                await release(connection, claim)
        return tried

    async def _attempt(
        self,
        adapter: Adapter,
        memory: StoredMemory,
        rows: Sequence[RowMapping],
        groups: Mapping[str, int],
    ) -> bool:
        """Try rows; return False if the platform wants to be left alone for a while."""
        try:
            if rows[0]["stream"] == "usage":
                await send_usage(self._database, adapter, memory, rows, self._clock())
            else:
                await self._send(adapter, memory, rows[0], groups[rows[0]["id"]])
        except Busy as busy:
            await self._wait(rows, busy, counted=False)
            return False
        except Refused as refusal:
            await self._refuse(rows, refusal.reason)
        except NotDelivered as failure:
            await self._wait(rows, failure)
            return False
        except FareboxError as error:  # what was to be sent is gone, or was never there
            await self._refuse(rows, error.detail)
        except OUTAGES:
            raise
        except Exception as error:  # noqa: BLE001 - a later version may mend it; others go on
            _log.exception("platforms.fault", platform=rows[0]["platform"])
            fault = NotDelivered(f"It could not be made ready to send ({type(error).__name__}).")
            await self._wait(rows, fault)
        return True

    async def _send(
        self, adapter: Adapter, memory: StoredMemory, row: RowMapping, group: int
    ) -> None:
        tried = row["attempts"] > 0 or group > 0
        attempt = Attempt(memory, group, row["created_at"], tried)
        remote_id, reason = await perform(self._database, adapter, row, attempt)
        async with self._database.autocommit() as connection:
            await set_done(connection, row, self._clock(), remote_id=remote_id, reason=reason)
        _log.info("platforms.sent", platform=adapter.name, action=row["action"], fact=row["fact"])

    async def _wait(
        self, rows: Sequence[RowMapping], failure: NotDelivered, *, counted: bool = True
    ) -> None:
        async with self._database.begin() as connection:
            for row in rows:
                pause = delivery_pause(row["attempts"] + 1, _jitter.random())
                if failure.wait is not None:
                    pause = failure.wait if not counted else max(pause, failure.wait)
                await set_waiting(
                    connection,
                    row,
                    failure.reason,
                    self._clock() + pause,
                    counted=counted,
                    new_keys=isinstance(failure, AnswerSpoiled),
                )
        _log.warning(
            "platforms.waits", platform=rows[0]["platform"], reason=failure.reason, rows=len(rows)
        )

    async def _refuse(self, rows: Sequence[RowMapping], reason: str) -> None:
        async with self._database.begin() as connection:
            for row in rows:
                await set_refused(connection, row, reason)
        _log.warning("platforms.refused", platform=rows[0]["platform"], reason=reason)
