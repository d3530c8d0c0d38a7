"""A server on this machine, in a thread of its own: what others' services are stood in for by."""

from __future__ import annotations

import asyncio
import json
import threading
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.types import Receive, Scope, Send

from tests.support.waiting import until


class LocalServer:
    """Serves ``answer`` over real HTTP while it is open."""

    def __init__(self) -> None:
        config = uvicorn.Config(
            self._app,
            port=0,
            log_config=None,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_level="critical",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    @property
    def url(self) -> str:
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def answer(self, scope: Scope, body: bytes, send: Send) -> None:
        """Answer a request, whose body has come whole."""
        raise NotImplementedError

    def closing(self) -> None:
        """Let go what waits, since the server closes."""

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await self.answer(scope, body, send)

    async def __aenter__(self) -> Self:
        self._thread.start()

        async def started() -> bool:
            return self._server.started

        await until(started)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing()
        self._server.should_exit = True
        self._server.force_exit = True
        await asyncio.to_thread(self._thread.join)


async def send_json(
    send: Send, status: int, answer: Any, headers: dict[str, str], *, cut: bool
) -> None:
    """Send an answer; if ``cut``, the connection breaks in the middle of it."""
    content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                # A byte more than comes, if it is cut
                (b"content-length", str(len(content) + cut).encode()),
                *((name.encode(), value.encode()) for name, value in headers.items()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": content})
