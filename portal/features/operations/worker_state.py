"""How the worker's tasks are doing, for the operator's page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from portal.features.operations.worker_rows import TaskRow, task_row
from portal.session import polling
from portal.session.guard import Caller, signed_in
from portal.session.live import polled
from portal.session.page import PageState
from portal.session.state import Session


class WorkerTasks(PageState, Session):
    """The worker's tasks, by name."""

    tasks: list[TaskRow] = []

    @signed_in(operator=True, background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Load the tasks, and follow them until the browser leaves the page."""

        async def look() -> None:
            ask = caller.client.pipeline.worker_tasks
            tasks = (await polled(caller, "worker tasks", ask, polling.WORKER_TASKS)).items
            now = datetime.now(UTC)
            async with self:
                self.tasks = [task_row(task, now) for task in tasks]
                self._ready()

        return await self._follow(caller, look, polling.WORKER_TASKS)
