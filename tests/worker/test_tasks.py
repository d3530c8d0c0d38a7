"""The worker's tasks: each goes on whatever becomes of another, and every failure is counted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, text

from backend.kit.periodic import Run
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import worker_failures
from backend.worker import TASKS, Task, note_failure, run_tasks
from tests.metering.test_metrics import gauges
from tests.support.tenants import sample_tenant
from tests.support.waiting import until


@pytest.mark.fast
def test_every_task_has_a_name_of_its_own_and_says_what_it_does() -> None:
    assert len({task.name for task in TASKS}) == len(TASKS)
    assert all(task.what and (task.every_seconds or 1) > 0 for task in TASKS)


@pytest.mark.fast
def test_archiving_runs_only_where_a_retention_is_set(tmp_path: Path) -> None:
    def names(settings: Settings) -> set[str]:
        return {task.name for task in TASKS if task.wanted(settings)}

    kept = names(Settings(event_retention_days=500, event_archive_dir=tmp_path))
    assert kept - names(Settings()) == {"archives"}


@pytest.mark.engine
async def test_a_task_that_fails_is_counted_and_started_again_beside_the_others(
    api: httpx.AsyncClient, database: Database, api_settings: Settings
) -> None:
    stop, works, both_work = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def faulty(database: Database, settings: Settings) -> Run:
        return first if not works.is_set() else steady

    async def first(stop: asyncio.Event) -> None:
        works.set()
        raise KeyError("a fault")

    async def steady(stop: asyncio.Event) -> None:
        both_work.set()
        await stop.wait()

    sound = [task for task in TASKS if task.name == "counting"]
    tasks = [Task("faulty", "fails once", None, faulty), *sound]
    before = await gauges(api)
    assert not any("worker_task" in name for name in before)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(run_tasks(tasks, database, api_settings, stop))
        await both_work.wait()
        stop.set()
    async with database.begin() as connection:
        [row] = (await connection.execute(select(worker_failures))).all()
    assert (row.task, row.failures, row.error) == ("faulty", 1, "KeyError: 'a fault'")
    await note_failure(database, "faulty", ValueError("another"))
    assert (await gauges(api))['farebox_worker_task_failures_total{task="faulty"}'] == 2


@pytest.mark.engine
async def test_counting_goes_on_while_another_task_fails_again_and_again(
    api: httpx.AsyncClient, database: Database, api_settings: Settings
) -> None:
    def broken(database: Database, settings: Settings) -> Run:
        raise OSError("never works")

    tenant = await sample_tenant(database)
    sound = [task for task in TASKS if task.name == "counting"]
    tasks = [Task("broken", "fails always", None, broken), *sound]

    async def counted() -> bool:
        async with database.begin() as connection:
            return bool(await connection.scalar(text("SELECT count(*) FROM events")))

    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_tasks(tasks, database, api_settings, stop))
        answer = await api.post("/v1/events", headers=tenant.headers, json=tenant.event("1"))
        assert answer.status_code == 202, answer.text
        await until(counted)
        stop.set()


@pytest.mark.engine
async def test_a_failure_that_can_not_be_counted_fails_nothing_else(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(text("DROP TABLE worker_failures"))
    await note_failure(database, "faulty", ValueError("a fault"))
