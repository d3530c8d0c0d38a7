"""The stand-in's door: the key, shapes, limits, and answers that get lost."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qsl

from starlette.types import Scope, Send

from tests.support.amberflo.books import Books
from tests.support.amberflo.shapes import Fault, check
from tests.support.local_server import LocalServer, send_json

KEY = "key_of_the_stand_in"
WEBHOOK_SECRET = "header_of_the_stand_in"
_QUESTIONS = {"/usage/"}

Trouble = Literal["429", "500", "lost", "held"]


@dataclass(frozen=True)
class Asked:
    """A request that came, and what it was answered."""

    method: str
    path: str
    body: Any
    status: int


class AmberfloStandIn(LocalServer):
    """Amberflo, as far as Farebox uses it. ``trouble`` befalls the next that change things.

    ``429``: too many requests. ``500``: nothing is done. ``lost``: all is done, and the answer does
    not arrive. ``held``: all is done, and the answer waits for ``goes_on``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.books = Books()
        self.asked: list[Asked] = []
        self.trouble: deque[Trouble] = deque()
        self.retry_after = "1"
        self.absent_is_404 = False
        """Whether what is not there is no page, rather than an empty one."""
        self.ahead = timedelta()
        self.goes_on = threading.Event()
        self.held = threading.Event()

    @property
    def now(self) -> datetime:
        """Amberflo's clock; ``ahead`` moves it on, as days that pass."""
        return datetime.now(UTC) + self.ahead

    def writes(self) -> list[Asked]:
        """The requests that could have changed something."""
        return [
            asked for asked in self.asked if asked.method != "GET" and asked.path not in _QUESTIONS
        ]

    async def answer(self, scope: Scope, body: bytes, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        method, path = scope["method"], scope["path"]
        changes = method != "GET" and path not in _QUESTIONS
        trouble = self.trouble.popleft() if changes and self.trouble else None
        query = dict(parse_qsl(scope["query_string"].decode()))
        extra: dict[str, str] = {}
        said: Any = None
        if trouble == "429":
            status, answer = 429, {"message": "Too Many Requests"}
            extra["retry-after"] = self.retry_after
        elif trouble == "500":
            status, answer = 500, {"message": "Internal server error"}
        else:
            status, answer, said = self._answered(method, path, query, body, headers)
        self.asked.append(Asked(method, path, said, status))
        if trouble == "held":
            self.held.set()
            await asyncio.to_thread(self.goes_on.wait)
        await send_json(send, status, answer, extra, cut=trouble == "lost")

    def closing(self) -> None:
        self.goes_on.set()

    def _answered(
        self, method: str, path: str, query: dict[str, str], body: bytes, headers: dict[str, str]
    ) -> tuple[int, Any, Any]:
        said = None
        try:
            if headers.get("x-api-key") != KEY:
                raise Fault("Forbidden", 403)
            if path == "/ingest/" and headers.get("content-encoding") != "gzip":
                raise Fault("The stand-in takes events packed, as Amberflo's client sends them")
            if body:
                plain = gzip.decompress(body) if path == "/ingest/" else body
                said = json.loads(plain)
            if path == "/ingest/" and isinstance(said, dict):
                said = [said]
            operation = check(method, path, query, said)
            answer = self.books.do(operation, query, said, self.now)
            if method == "GET" and not answer and self.absent_is_404:
                raise Fault("Not found", 404)
            return 200, answer, said
        except Fault as fault:
            return fault.status, {"errorMessage": str(fault)}, said
