"""ASGI apps on real ports, served by uvicorn in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from tests.support.waiting import until


@asynccontextmanager
async def served(
    app: ASGIApp, *, http: type[asyncio.Protocol] | Literal["auto"] = "auto"
) -> AsyncIterator[str]:
    """Serve an app whose lifespan is run elsewhere, by this protocol; gives its address.

    In the steps of ``Server.serve``, whose loop looks ten times a second whether it shall end.
    """
    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None, ws="none", http=http)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    await server.on_tick(0)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    state = server.server_state
    for listener in server.servers:
        listener.close()
    for connection in list(state.connections):
        connection.shutdown()

    async def at_rest() -> bool:
        return not state.connections and not state.tasks

    await until(at_rest, pause=0.005)
