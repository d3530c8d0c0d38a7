"""An invoice run in several processes, since rating fills a processor."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

from backend.invoices.runs.runs import begin_run, end_run, run_progress, work
from backend.kit.side_process import follow_parent
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.invoices import InvoiceRun

ALONE = 200
"""With fewer tenants than this, starting processes costs more time than they save."""

_AT_ONCE = 2  # batches of one process: while one waits for the database, the other is rated
_SHOW_SECONDS = 0.25


async def run_in_parallel(
    database: Database,
    settings: Settings,
    as_of: datetime,
    *,
    processes: int,
    show: Callable[[InvoiceRun], None],
) -> InvoiceRun:
    """Bill every tenant with a period whose grace was over at ``as_of``; return the finished run.

    ``show`` is called with its progress a few times a second. An unfinished run is continued. If a
    process is killed the others finish its work; if all are, the run is left unfinished.
    """
    run = await begin_run(database, settings, as_of)
    show(run)
    if run.left < ALONE or processes < 2:
        await work(database, settings, run, asyncio.Event())
    else:
        await _in_processes(database, settings, run, processes, show)
    run = await end_run(database, settings, run, datetime.now(UTC))
    show(run)
    return run


async def _in_processes(
    database: Database,
    settings: Settings,
    run: InvoiceRun,
    processes: int,
    show: Callable[[InvoiceRun], None],
) -> None:
    context = multiprocessing.get_context("spawn")
    started: list[SpawnProcess] = []
    try:
        for _ in range(processes):
            process = context.Process(target=_work, args=(database.url, settings, run), daemon=True)
            process.start()
            started.append(process)
        while any(process.is_alive() for process in started):
            sentinels = [process.sentinel for process in started if process.is_alive()]
            await asyncio.to_thread(wait, sentinels, _SHOW_SECONDS)
            show(await run_progress(database, settings, run.id))
    finally:
        for process in started:
            process.terminate()
            process.join()


def _work(database_url: str, settings: Settings, run: InvoiceRun) -> None:
    """Bill until nothing is left to claim: what each process does."""
    follow_parent()

    async def bill() -> None:
        database = Database(database_url, pool_size=_AT_ONCE)
        stop = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(work(database, settings, run, stop))
        finally:
            await database.close()

    asyncio.run(bill())


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
