"""The stand-in's door: credentials, descriptions, keys, limits, and answers that get lost."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Literal, Self

import uvicorn
from starlette.types import Receive, Scope, Send

from tests.support.stripe.books import Books
from tests.support.stripe.objects import StripeError
from tests.support.stripe.openapi import (
    Fault,
    checked_form,
    checked_json,
    checked_query,
    operation_of,
)
from tests.support.waiting import until

KEY = "sk_test_of_the_stand_in"
WEBHOOK_SECRET = "whsec_of_the_stand_in"
KEYS_ARE_KEPT = timedelta(hours=24)

Trouble = Literal["429", "500", "lost", "slow"]


@dataclass(frozen=True)
class Asked:
    """A request that came, and what it was answered."""

    method: str
    path: str
    form: dict[str, Any]
    key: str | None
    status: int


@dataclass
class StripeStandIn:
    """Stripe, as far as Farebox uses it. ``trouble`` befalls the next requests that change things.

    ``429``: too many requests. ``500``: nothing is done, and the answer is kept for the key.
    ``lost``: all is done, and the answer does not arrive. ``slow``: it waits for ``goes_on``.
    """

    books: Books = field(default_factory=Books)
    asked: list[Asked] = field(default_factory=list)
    trouble: deque[Trouble] = field(default_factory=deque)
    retry_after: str = "1"
    behind: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.goes_on = threading.Event()
        self.waiting = threading.Event()
        self._kept: dict[str, tuple[datetime, str, int, dict[str, Any]]] = {}
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
        """Stripe's clock; ``behind`` moves it on, as days that pass."""
        return datetime.now(UTC) + self.behind

    def writes(self) -> list[Asked]:
        """The requests that could have changed something."""
        return [asked for asked in self.asked if asked.method != "GET"]

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        method, path = scope["method"], scope["path"]
        trouble = self.trouble.popleft() if method != "GET" and self.trouble else None
        extra: dict[str, str] = {}
        if trouble == "slow":
            self.waiting.set()
            await asyncio.to_thread(self.goes_on.wait)
        if trouble == "429":
            status, answer = 429, _error("rate_limit_error", "Too many requests", "rate_limit")
            extra["retry-after"] = self.retry_after
            form: dict[str, Any] = {}
        else:
            status, answer, form, replayed = self._answered(
                method, path, query, body.decode(), headers, broken=trouble == "500"
            )
            if replayed:
                extra["idempotent-replayed"] = "true"
        key = headers.get("idempotency-key")
        self.asked.append(Asked(method, path, form, key, status))
        content = json.dumps(answer).encode()
        cut = trouble == "lost"
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(content) + cut).encode()),
                    *((name.encode(), value.encode()) for name, value in extra.items()),
                ],
            }
        )
        # A byte less than was said: the connection breaks in the middle of the answer
        await send({"type": "http.response.body", "body": content})

    def _answered(
        self,
        method: str,
        path: str,
        query: str,
        body: str,
        headers: dict[str, str],
        *,
        broken: bool,
    ) -> tuple[int, dict[str, Any], dict[str, Any], bool]:
        form: dict[str, Any] = {}
        try:
            template, operation, ids = operation_of(method, path)
            self._admit(path, headers)
            values = checked_query(operation, query)
            if method == "POST":
                check = checked_json if path.startswith("/v2/") else checked_form
                values |= check(operation, body)
            form = values
        except Fault as fault:
            return 400, _error("invalid_request_error", str(fault), None, fault.param), form, False
        except StripeError as error:
            return error.status, _error(error.kind, str(error), error.code), form, False
        key = headers.get("idempotency-key") if method == "POST" else None
        if key is not None and (kept := self._replayed(key, path, body)):
            return *kept, form, True
        if broken:
            status, answer = 500, _error("api_error", "Sorry, that is on us", None)
        else:
            status, answer = self._handled(method, template, ids, values)
        if key is not None and status != 429:
            self._kept[key] = (self.now, f"{path} {body}", status, answer)
        return status, answer, form, False

    def _handled(
        self, method: str, template: str, ids: dict[str, str], values: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        try:
            return 200, self.books.do(method, template, ids, values, self.now)
        except StripeError as error:
            return error.status, _error(error.kind, str(error), error.code)

    def _admit(self, path: str, headers: dict[str, str]) -> None:
        wanted = KEY
        if path == "/v2/billing/meter_event_stream":
            wanted = self.books.session_token(self.now)
        if headers.get("authorization") != f"Bearer {wanted}":
            raise StripeError("Invalid API Key provided", status=401)
        if not headers.get("stripe-version"):
            raise StripeError("No version is named")

    def _replayed(self, key: str, path: str, body: str) -> tuple[int, dict[str, Any]] | None:
        at, request, status, answer = self._kept.get(key, (None, "", 0, {}))
        if at is None or self.now - at > KEYS_ARE_KEPT:
            return None
        if request != f"{path} {body}":
            said = "Keys for idempotent requests can only be used with the same parameters"
            return 400, _error("idempotency_error", said, None)
        return status, answer

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
        self.goes_on.set()
        self._server.should_exit = True
        self._server.force_exit = True
        await asyncio.to_thread(self._thread.join)


def _error(kind: str, message: str, code: str | None, param: str = "") -> dict[str, Any]:
    error = {"type": kind, "message": message, "code": code, "param": param}
    return {"error": {name: value for name, value in error.items() if value}}
