"""The way of events from ingest to the rollups; for the operator."""

from __future__ import annotations

from datetime import date

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import delete, get, path, send
from backend_client.queries import query
from backend_client.types.common import Page
from backend_client.types.dead_letters import DeadLetter, DeadLetterContent, DeadLetterReplay
from backend_client.types.events import IngestResult
from backend_client.types.pipeline import Pipeline, WorkerTask
from backend_client.types.refused_events import RefusedEvents


class AsyncPipelineResource(AsyncResource):
    """How the pipeline is doing; for the operator."""

    async def get(self) -> Pipeline:
        """Get what waits, what was counted, and how old the oldest of it is."""
        return await self._sender.send(get(path("pipeline"), Pipeline))

    def refused_events(
        self, *, day: date | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[RefusedEvents]:
        """List refused events of all tenants, and those that named none, newest day first."""
        at = path("pipeline", "refused-events")
        params = query(day=day, limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(at, Page[RefusedEvents], params))

    async def worker_tasks(self) -> Page[WorkerTask]:
        """List the worker's tasks, with when each last succeeded and failed."""
        return await self._sender.send(get(path("worker-tasks"), Page[WorkerTask]))


class AsyncDeadLettersResource(AsyncResource):
    """Messages that could not be counted; for the operator."""

    def list(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[DeadLetter]:
        """List the dead letters, oldest first."""
        call = get(path("dead-letters"), Page[DeadLetter], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def get(self, sequence: int) -> DeadLetterContent:
        """Get a dead letter with its content."""
        return await self._sender.send(get(path("dead-letters", sequence), DeadLetterContent))

    async def replay(self, sequence: int, replay: DeadLetterReplay) -> IngestResult:
        """Count a dead letter after all, as it is or put right."""
        # A second time there is no such letter, and it would be refused.
        at = path("dead-letters", sequence, "replay")
        return await self._sender.send(send("POST", at, replay, IngestResult, repeatable=False))

    async def discard(self, sequence: int) -> None:
        """Remove a dead letter for good."""
        await self._sender.send(delete(path("dead-letters", sequence), repeatable=False))
