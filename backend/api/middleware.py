"""Middleware of every request: its id, log line, limits and counters."""

from __future__ import annotations

import re
import time

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.errors import BodyTooLarge
from backend.api.problems import problem_response
from backend.ids import new_id
from backend.kit.origin import request_from
from backend_client.types.events import IngestResult

_log = structlog.get_logger("farebox.request")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SANE_ID = re.compile(r"^[A-Za-z0-9_.:-]{1,128}$")


class Metrics:
    """Counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "farebox_http_requests_total",
            "Requests answered",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "farebox_http_request_seconds",
            "Seconds from a request to the end of its answer",
            ["method", "route"],
            registry=self.registry,
        )
        self._of_routes: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.events = Counter(
            "farebox_ingest_events_total",
            "Events sent to this process, by what became of them",
            ["verdict"],
            registry=self.registry,
        )

    def note_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered; methods and routes are those that there are."""
        key = method, route, status
        counted = self._of_routes.get(key)
        if counted is None:  # finding them by their labels takes longer than counting
            counted = self._of_routes[key] = (
                self.requests.labels(*key),
                self.seconds.labels(method, route),
            )
        requests, times = counted
        requests.inc()
        times.observe(seconds)

    def note_verdict(self, result: IngestResult) -> None:
        """Count the events of a request."""
        self.events.labels("accepted").inc(result.accepted)
        self.events.labels("duplicate").inc(result.duplicates)
        self.events.labels("rejected").inc(result.rejected)
        self.events.labels("conflict").inc(result.conflicts)


class RequestContext:
    """Gives the request an id, logs it, counts it, and adds the headers of every answer."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        given = asked.get("x-request-id", "")
        request_id = given if _SANE_ID.match(given) else new_id("req")
        scope.setdefault("state", {})["request_id"] = request_id
        began = time.perf_counter()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                if event_id := scope["state"].get("event_id"):
                    headers["x-farebox-event"] = event_id
                headers["x-content-type-options"] = "nosniff"
                headers.setdefault("cache-control", "no-store")
                if scope["scheme"] == "https":
                    headers["strict-transport-security"] = "max-age=31536000"
            await send(message)

        client = scope.get("client")
        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            request_from(client[0] if client else None, request_id, asked.get("origin")),
        ):
            try:
                await self._app(scope, receive, answer)
            finally:
                seconds = time.perf_counter() - began
                self._note(scope, status, seconds)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # The route, not the path: paths have ids, of which there is no limit.
        route = getattr(scope.get("route"), "path", None) or "unmatched"
        # And no method that a stranger makes up
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.note_request(method, route, status, seconds)
        _log.info(
            "request",
            method=scope["method"],
            route=route,
            status=status,
            # The id of who called, which no log line but this one has
            caller=scope["state"].get("caller"),
            milliseconds=round(seconds * 1000, 1),
        )


class BodyLimit:
    """Refuses a body over the limit, before and while it is read."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        error = BodyTooLarge(f"The body is over the limit of {self._max_bytes:,} bytes.")
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            await problem_response(Request(scope), error)(scope, receive, send)
            return
        taken = 0
        over = started = False

        async def limited() -> Message:
            nonlocal taken, over
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > self._max_bytes:
                    over = True
                    raise error
            return message

        async def answer(message: Message) -> None:
            nonlocal started
            # The framework's own error about an incomplete body would hide the reason
            if started or not over:
                started = True
                await send(message)

        await self._app(scope, limited, answer)
        if over and not started:
            await problem_response(Request(scope), error)(scope, receive, send)
