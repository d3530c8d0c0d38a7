"""How models perform at this gateway: counted in memory, added to the database by the hour.

A row for each hour and model whatever the traffic, so that it costs calls nothing and is bounded.
What a process counted since it last added is lost when it is killed: these are no bills.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import structlog
from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.principal import Principal
from backend.errors import FareboxError
from backend.gateway.call import Call, Status
from backend.gateway.latencies import BUCKETS, bucket_of
from backend.gateway.measures.call_tally import CallTally, add_calls, remove_old
from backend.gateway.upstreams.tally import UpstreamTally, add_attempts, remove_old_attempts
from backend.kit.periodic import OUTAGES
from backend.storage.database import Database
from backend.storage.tables import model_hours

_log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 5.0
KEPT: Final = timedelta(days=31)
_MOST_ROWS: Final = 10_000
"""Hours and models that wait while the database is away; later ones are not counted."""

Outcome = Literal["answered", "failed"]

_ADD: Final = text(
    "INSERT INTO model_hours (hour, model, answered, failed, total_counts, first_token_counts)"
    " VALUES (:hour, :model, :answered, :failed, :total_counts, :first_token_counts)"
    " ON CONFLICT (hour, model) DO UPDATE SET"
    " answered = model_hours.answered + excluded.answered,"
    " failed = model_hours.failed + excluded.failed,"
    " total_counts = ARRAY(SELECT present + more FROM"
    " unnest(model_hours.total_counts, excluded.total_counts)"
    " WITH ORDINALITY AS pair (present, more, place) ORDER BY place),"
    " first_token_counts = ARRAY(SELECT present + more FROM"
    " unnest(model_hours.first_token_counts, excluded.first_token_counts)"
    " WITH ORDINALITY AS pair (present, more, place) ORDER BY place)"
)


@dataclass(slots=True)
class HourCounts:
    """What was measured of a model in an hour; times by bucket, see ``latencies``."""

    answered: int = 0
    failed: int = 0
    total_counts: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    first_token_counts: list[int] = field(default_factory=lambda: [0] * BUCKETS)


class Measures:
    """Counts calls; ``await close()`` when done, which adds the rest to the database."""

    def __init__(self, database: Database, *, every_seconds: float = EVERY_SECONDS) -> None:
        self._database = database
        self._every_seconds = every_seconds
        self._hours: dict[tuple[datetime, str], HourCounts] = {}
        self._calls = CallTally()
        self.attempts = UpstreamTally(self._add_soon)
        """Counts attempts at upstreams."""
        self._timer: asyncio.Task[None] | None = None
        self._cleared: datetime | None = None

    def note(
        self,
        model: str,
        outcome: Outcome,
        *,
        seconds: float,
        first_token_seconds: float | None = None,
    ) -> None:
        """Count a call that has ended; ``first_token_seconds`` of a streamed one."""
        hour = _this_hour()
        counts = self._hours.get((hour, model))
        if counts is None:
            if len(self._hours) >= _MOST_ROWS:
                return
            counts = self._hours[hour, model] = HourCounts()
        if outcome == "failed":
            counts.failed += 1
        else:
            counts.answered += 1
            counts.total_counts[bucket_of(seconds)] += 1
            if first_token_seconds is not None:
                counts.first_token_counts[bucket_of(first_token_seconds)] += 1
        self._add_soon()

    def note_call(self, call: Call, status: Status) -> None:
        """Count a call that has ended, for its tenant."""
        self._calls.note(call, status)
        self._add_soon()

    def note_refusal(self, caller: Principal, model: str, error: FareboxError) -> None:
        """Count a call that was refused before a provider was asked, for its tenant."""
        self._calls.note_refusal(caller, model, error)
        self._add_soon()

    def _add_soon(self) -> None:
        if self._timer is None or self._timer.done():
            self._timer = asyncio.create_task(self._add_later())

    async def close(self) -> None:
        """Add what was counted since the last time."""
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.wait([self._timer])
        await self.add()

    async def add(self) -> None:
        """Add what was counted to the database; it is kept for the next time if that is away."""
        waiting, self._hours = self._hours, {}
        calls, attempts = self._calls.take(), self.attempts.take()
        if not waiting and not calls and not attempts:
            return
        try:
            async with self._database.begin() as connection:
                await add_hours(connection, waiting)
                await add_calls(connection, calls)
                await add_attempts(connection, attempts)
                await self._clear_old(connection)
        except OUTAGES as error:
            _log.warning("gateway.measures_wait", error=repr(error))
            self._take_back(waiting)
            self._calls.take_back(calls)
            self.attempts.take_back(attempts)

    async def _clear_old(self, connection: AsyncConnection) -> None:
        newest = _this_hour()
        if newest != self._cleared:
            old = model_hours.c.hour < newest - KEPT
            await connection.execute(delete(model_hours).where(old))
            await remove_old(connection, newest)
            await remove_old_attempts(connection, newest)
            self._cleared = newest

    def _take_back(self, waiting: dict[tuple[datetime, str], HourCounts]) -> None:
        for key, counts in waiting.items():
            present = self._hours.get(key)
            if present is None:
                self._hours[key] = counts
                continue
            present.answered += counts.answered
            present.failed += counts.failed
            for own, more in (
                (present.total_counts, counts.total_counts),
                (present.first_token_counts, counts.first_token_counts),
            ):
                own[:] = [before + after for before, after in zip(own, more, strict=True)]

    async def _add_later(self) -> None:
        while True:
            await asyncio.sleep(self._every_seconds)
            await self.add()
            if not self._hours and not self._calls and not self.attempts:
                return


async def add_hours(
    connection: AsyncConnection, waiting: Mapping[tuple[datetime, str], HourCounts]
) -> None:
    """Add counts of hours and models to those in the database."""
    rows = [
        {
            "hour": hour,
            "model": model,
            "answered": counts.answered,
            "failed": counts.failed,
            "total_counts": counts.total_counts,
            "first_token_counts": counts.first_token_counts,
        }
        # In one order everywhere, so that two processes don't wait for each other's rows
        for (hour, model), counts in sorted(waiting.items(), key=lambda item: item[0])
    ]
    if rows:
        await connection.execute(_ADD, rows)


def _this_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
