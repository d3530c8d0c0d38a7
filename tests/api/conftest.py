"""The API on a real PostgreSQL and NATS, served in this process, with the worker beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from backend.accounts.operator_keys import create_operator_key
from backend.api.app import create_app
from backend.catalog.published import apply_catalog, load_catalog
from backend.metering.counting.worker import UsageConsumer
from backend.settings import Settings
from backend.storage.database import Database
from tests.serving import served

CATALOG = Path(__file__).parents[2] / "catalog.yaml"


@pytest.fixture
def api_settings(database_url: str, nats_url: str, stream_name: str, tmp_path: Path) -> Settings:
    secret = tmp_path / "run" / "local-sign-in"
    secret.parent.mkdir()
    secret.write_text("a secret of this machine")
    return Settings(
        database_url=database_url,
        nats_url=nats_url,
        home=tmp_path,
        stream_name=stream_name,
        stream_max_bytes=64 * 1024**2,
        database_pool_size=5,
    )


@pytest.fixture
async def app(api_settings: Settings, database: Database) -> AsyncIterator[FastAPI]:
    async with database.begin() as connection:
        await apply_catalog(connection, load_catalog(CATALOG))
    app = create_app(api_settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


@pytest.fixture
async def url(app: FastAPI) -> AsyncIterator[str]:
    """Where uvicorn serves the API, on a real port."""
    async with served(app) as address:
        yield address


@pytest.fixture
async def worker(api_settings: Settings, database: Database) -> AsyncIterator[None]:
    assert api_settings.nats_url is not None
    stop = asyncio.Event()
    consumer = UsageConsumer(database, api_settings.nats_url, api_settings)
    task = asyncio.create_task(consumer.run(stop))
    yield
    stop.set()
    await task


@pytest.fixture
async def operator(database: Database) -> dict[str, str]:
    async with database.begin() as connection:
        _, secret = await create_operator_key(connection, "test")
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture
async def session(api: httpx.AsyncClient) -> dict[str, str]:
    answer = await api.post("/v1/sessions/local", json={"secret": "a secret of this machine"})
    assert answer.status_code == 201, answer.text
    return {"authorization": f"Bearer {answer.json()['token']}"}
