"""Ingest needs the queue alone: PostgreSQL may be away, and what was accepted is counted later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from backend.api.app import create_app
from backend.engines.postgres import start_postgres
from backend.engines.processes import RunningEngine
from backend.metering.counting.worker import CountingWorker
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.migrate import migrate
from backend.storage.tables import events
from tests.support.killing import kill
from tests.support.tenants import sample_tenant
from tests.support.waiting import until

pytestmark = pytest.mark.engine


class OwnPostgres:
    """A PostgreSQL that a test can kill and start again."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.running: RunningEngine = start_postgres(data)

    def start(self) -> None:
        self.running = start_postgres(self._data)

    def kill(self) -> None:
        kill(self.running)


@pytest.fixture
def own_postgres(engines_home: Path) -> Iterator[OwnPostgres]:
    postgres = OwnPostgres(engines_home / "own")
    yield postgres
    postgres.running.stop()


async def test_events_are_taken_while_postgresql_is_away_and_counted_when_it_is_back(
    own_postgres: OwnPostgres, nats_url: str, stream_name: str, tmp_path: Path
) -> None:
    settings = Settings(
        database_url=own_postgres.running.url,
        nats_url=nats_url,
        home=tmp_path,
        stream_name=stream_name,
        stream_max_bytes=64 * 1024**2,
    )
    database = Database(own_postgres.running.url, pool_size=2)
    await migrate(database.engine)
    tenant = await sample_tenant(database)
    app: Any = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api") as api,
    ):

        async def send(name: str) -> httpx.Response:
            event = tenant.event(name)
            return await api.post("/v1/events", headers=tenant.headers, json=event)

        assert (await send("before")).json()["accepted"] == 1
        own_postgres.kill()
        answers = [await send(f"away-{number}") for number in range(5)]
        assert [answer.status_code for answer in answers] == [202] * 5, answers[0].text
        assert [answer.json()["accepted"] for answer in answers] == [1] * 5
        # What needs PostgreSQL says that it is away, and when to come again
        usage = await api.get("/v1/usage", headers=tenant.headers)
        assert (usage.status_code, usage.json()["code"]) == (503, "database_unavailable")
        assert usage.headers["retry-after"] == "1"
        own_postgres.start()
        stop = asyncio.Event()
        consumer = CountingWorker(database, nats_url, settings)
        working = asyncio.create_task(consumer.run(stop))

        async def all_counted() -> bool:
            async with database.begin() as connection:
                return await connection.scalar(select(func.count()).select_from(events)) == 6

        await until(all_counted)
        stop.set()
        await working
        repeated = (await send("away-1")).json()
        assert (repeated["accepted"], repeated["duplicates"]) == (0, 1)
    await database.close()


async def test_a_database_that_takes_no_writes_is_unavailable_and_not_ready(
    api: httpx.AsyncClient, session: dict[str, str], database: Database
) -> None:
    """As a standby after a failover, which takes connections and reads."""
    async with database.raw() as connection:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = $1 AND pid <> pg_backend_pid()",
            name,
        )
    application = {"name": "Other"}
    answer = await api.post("/v1/applications", headers=session, json=application)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable"), answer.text
    ready = await api.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["postgresql"]) == (503, False)
