"""How the worker's tasks are doing, on record: for whoever watches several workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.kit.periodic import OUTAGES
from backend.storage.database import Database
from backend.storage.tables import worker_tasks
from backend_client.types.pipeline import WorkerTask

_log = structlog.get_logger(__name__)

_EVERY_SECONDS: Final = 10.0
"""How often a pass like the one before is recorded."""
_LONGEST_ERROR: Final = 500


class TaskHealth:
    """Records the passes of one task of one worker; of those alike, one every ten seconds.

    While PostgreSQL is away nothing can be recorded; what was not is recorded with the next.
    """

    def __init__(
        self, database: Database, task: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._task = task
        self._clock = clock
        self._recorded_at = float("-inf")
        self._recorded: bool | None = None
        self._failed = 0
        self._restarts = 0

    async def passed(self, error: Exception | None = None) -> None:
        """Record a pass, with the error that ended it."""
        self._failed = 0 if error is None else self._failed + 1
        due = self._clock() - self._recorded_at >= _EVERY_SECONDS
        if due or self._recorded is not (error is None):
            await self._record(error)

    async def restarted(self, error: Exception) -> None:
        """Record a fault that ended the task, which is started again."""
        self._failed += 1
        self._restarts += 1
        await self._record(error)

    async def _record(self, error: Exception | None) -> None:
        self._recorded_at, self._recorded = self._clock(), error is None
        row: dict[str, object] = {"task": self._task, "failures": self._restarts}
        changes: dict[str, object] = {"failures": worker_tasks.c.failures + self._restarts}
        if error is None:
            news: dict[str, object] = {"succeeded_at": func.now(), "consecutive_failures": 0}
        else:
            text = f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]
            news = {"failed_at": func.now(), "error": text}
            row["consecutive_failures"] = self._failed
            changes["consecutive_failures"] = worker_tasks.c.consecutive_failures + self._failed
        upsert = insert(worker_tasks).values(row | news)
        upsert = upsert.on_conflict_do_update(
            index_elements=[worker_tasks.c.task], set_=changes | news
        )
        try:
            async with self._database.begin() as connection:
                await connection.execute(upsert)
        except OUTAGES as outage:
            _log.warning("worker.health_not_recorded", task=self._task, error=str(outage))
        else:
            self._failed = self._restarts = 0


async def worker_health(connection: AsyncConnection) -> list[WorkerTask]:
    """Return what is on record of every task that ever ran, by name."""
    rows = await connection.execute(select(worker_tasks).order_by(worker_tasks.c.task))
    return [
        WorkerTask(
            task=row.task,
            succeeded_at=row.succeeded_at,
            failed_at=row.failed_at,
            error=row.error,
            consecutive_failures=row.consecutive_failures,
            restarts=row.failures,
        )
        for row in rows
    ]
