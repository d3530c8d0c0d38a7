"""The worker's tasks: each goes on whatever becomes of another, and every failure is counted."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from backend.kit.periodic import Run
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.task_health import TaskHealth, worker_health
from backend.worker import TASKS, Task, run_tasks
from backend_client.types.pipeline import WorkerTask
from tests.metering.test_metrics import gauges
from tests.support.tenants import Headers, sample_tenant
from tests.support.waiting import until


@pytest.mark.fast
def test_every_task_has_a_name_of_its_own_and_says_what_it_does() -> None:
    assert len({task.name for task in TASKS}) == len(TASKS)
    assert all(task.what and (task.every_seconds or 1) > 0 for task in TASKS)


@pytest.mark.fast
def test_a_task_that_does_not_always_run_says_what_it_needs() -> None:
    assert all((task.wanted is None) == (not task.only_with) for task in TASKS)


@pytest.mark.fast
def test_archiving_runs_only_where_a_retention_is_set(tmp_path: Path) -> None:
    def names(settings: Settings) -> set[str]:
        return {task.name for task in TASKS if task.runs(settings)}

    kept = names(Settings(event_retention_days=500, event_archive_dir=tmp_path))
    assert kept - names(Settings()) == {"archives"}


@pytest.mark.engine
async def test_a_task_that_fails_is_counted_and_started_again_beside_the_others(
    api: httpx.AsyncClient, operator: Headers, database: Database, api_settings: Settings
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
    before = await gauges(api, operator)
    assert not any("worker_task" in name for name in before)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(run_tasks(tasks, database, api_settings, stop))
        await both_work.wait()
        stop.set()
    async with database.begin() as connection:
        tasks_on_record = {task.task: task for task in await worker_health(connection)}
    faulty_one = tasks_on_record["faulty"]
    assert (faulty_one.restarts, faulty_one.error) == (1, "KeyError: 'a fault'")
    assert faulty_one.succeeded_at is None
    assert tasks_on_record["counting"].succeeded_at is not None
    await TaskHealth(database, "faulty").restarted(ValueError("another"))
    now = await gauges(api, operator)
    assert now['farebox_worker_task_failures_total{task="faulty"}'] == 2
    assert now['farebox_worker_task_consecutive_failures{task="faulty"}'] == 2
    moment = 'farebox_worker_task_last_%s_timestamp_seconds{task="%s"}'
    assert moment % ("success", "faulty") not in now
    for name in (moment % ("success", "counting"), moment % ("failure", "faulty")):
        assert abs(now[name] - time.time()) < 120
    listed = (await api.get("/v1/worker-tasks", headers=operator)).json()["items"]
    assert [task["task"] for task in listed] == ["counting", "faulty"]


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
        await connection.execute(text("DROP TABLE worker_tasks"))
    await TaskHealth(database, "faulty").restarted(ValueError("a fault"))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.engine
async def test_passes_are_recorded_when_they_change_or_every_ten_seconds(
    database: Database,
) -> None:
    clock = Clock()
    health = TaskHealth(database, "wallets", clock=clock)

    async def on_record() -> WorkerTask:
        async with database.begin() as connection:
            [task] = await worker_health(connection)
        return task

    await health.passed()
    first = await on_record()
    assert (first.consecutive_failures, first.restarts, first.failed_at) == (0, 0, None)
    clock.now = 9
    await health.passed()
    assert await on_record() == first  # not yet
    clock.now = 10
    await health.passed()
    assert (await on_record()).succeeded_at != first.succeeded_at

    for clock.now in (11, 12, 13, 21):
        await health.passed(OSError("away"))
    failing = await on_record()
    assert (failing.consecutive_failures, failing.error) == (4, "OSError: away")
    # Another worker's failures count with them; a success of any ends them
    await TaskHealth(database, "wallets").passed(ValueError("another"))
    assert (await on_record()).consecutive_failures == 5
    clock.now = 22
    await health.passed()
    healthy = await on_record()
    assert (healthy.consecutive_failures, healthy.error) == (0, "ValueError: another")
    assert healthy.failed_at is not None
