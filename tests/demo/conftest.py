"""An API with its worker that a client reaches over HTTP, as ``farebox demo`` does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from fastapi import FastAPI

from tests.api.conftest import api_settings, app, worker
from tests.conftest import free_port

__all__ = ["api_settings", "app", "worker"]


@pytest.fixture
async def api_url(app: FastAPI) -> AsyncIterator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_level="warning"))
    serving = asyncio.create_task(server.serve())
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving
