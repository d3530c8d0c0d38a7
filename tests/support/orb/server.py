"""The stand-in's door: credentials, descriptions, limits, and answers that get lost."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import unquote

import uvicorn
from starlette.types import Receive, Scope, Send

from tests.support.orb.books import Books
from tests.support.orb.objects import INVALID, Object, OrbError, shown
from tests.support.orb.openapi import Fault, checked_body, checked_query, operation_of
from tests.support.waiting import until

KEY = "orb-test-key-of-the-stand-in"
WEBHOOK_SECRET = "secret-of-the-stand-in"

Trouble = Literal["429", "500", "lost"]

_READS = ("/prices/evaluate", "/events/search")
"""What is asked for by a body, and changes nothing."""


@dataclass(frozen=True)
class Asked:
    """A request that came, and what it was answered."""

    method: str
    path: str
    body: Object
    status: int


@dataclass
class OrbStandIn:
    """Orb, as far as Farebox uses it. ``trouble`` befalls the next requests that change things.

    ``429``: too many requests. ``500``: nothing is done. ``lost``: all is done, and the answer does
    not arrive. Orb keeps no idempotency keys of requests: each is done as often as it comes.
    """

    books: Books = field(default_factory=Books)
    asked: list[Asked] = field(default_factory=list)
    trouble: deque[Trouble] = field(default_factory=deque)
    behind: timedelta = timedelta()

    def __post_init__(self) -> None:
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

    @property
    def now(self) -> datetime:
        """Orb's clock; ``behind`` moves it on, as days that pass."""
        return datetime.now(UTC) + self.behind

    def writes(self) -> list[Asked]:
        """The requests that could have changed something."""
        return [asked for asked in self.asked if _is_write(asked.method, asked.path)]

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = b""
        while True:
            message = await receive()
            raw += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        method, path = scope["method"], scope["path"].removeprefix("/v1")
        is_write = _is_write(method, path)
        trouble = self.trouble.popleft() if is_write and self.trouble else None
        body: Object = {}
        if trouble in {"429", "500"}:
            status, answer = int(trouble or 0), {"status": int(trouble or 0), "title": "No"}
        else:
            query = scope["query_string"].decode()
            status, answer, body = self._answered(method, path, query, raw, headers)
        self.asked.append(Asked(method, path, body, status))
        content = json.dumps(answer).encode()
        cut = trouble == "lost"
        extra = [(b"retry-after", b"1")] if status == 429 else []
        length = str(len(content) + cut).encode()
        kind = b"application/json"
        start = [(b"content-type", kind), (b"content-length", length), *extra]
        await send({"type": "http.response.start", "status": status, "headers": start})
        # A byte less than was said: the connection breaks in the middle of the answer
        await send({"type": "http.response.body", "body": content})

    def _answered(
        self, method: str, path: str, query: str, raw: bytes, headers: dict[str, str]
    ) -> tuple[int, Object, Object]:
        body: Object = {}
        try:
            if headers.get("authorization") != f"Bearer {KEY}":
                raise OrbError("The API key is invalid.", "401-authentication-error")
            template, operation, ids = operation_of(method, path)
            asked = checked_query(operation, query)
            body = checked_body(operation, raw)
            ids = {name: unquote(value) for name, value in ids.items()}
            answer = self.books.do(method, template, ids, body, asked, self.now)
        except Fault as fault:
            error = OrbError("Invalid request.", INVALID, validation_errors=[str(fault)])
            return error.status, error.problem(), body
        except OrbError as error:
            return error.status, error.problem(), body
        return 200, shown(answer), body

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
        self._server.should_exit = True
        self._server.force_exit = True
        await asyncio.to_thread(self._thread.join)


def signed(body: bytes, secret: str = WEBHOOK_SECRET, at: datetime | None = None) -> dict[str, Any]:
    """The headers of a webhook."""
    stamp = (at or datetime.now(UTC)).isoformat()
    signed_text = f"v1:{stamp}:".encode() + body
    digest = hmac.new(secret.encode(), signed_text, hashlib.sha256).hexdigest()
    return {"x-orb-timestamp": stamp, "x-orb-signature": f"v1={digest}"}


def _is_write(method: str, path: str) -> bool:
    return method != "GET" and path not in _READS
