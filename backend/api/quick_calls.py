"""Models' calls, served before the framework looks for their route.

FastAPI takes a third of a call's time to match the route and to work out what it depends on. The
routes stay declared as all others are: their document, and what these calls run, come from there.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.accounts.principal import Permission
from backend.api.dependencies import bearer_token, services

Endpoint = Callable[..., Awaitable[Response]]

_PARAMETERS: Final = {"services", "caller", "request"}
_TAGS: Final = {"openai", "anthropic"}


class QuickCalls:
    """Serves the POST routes of OpenAI's and Anthropic's protocols that answer for themselves.

    Their callers need the permission to call models. Whatever else comes goes on to the framework.
    """

    def __init__(self, app: ASGIApp, *, api: FastAPI, routers: Iterable[APIRouter]) -> None:
        self._app = app
        self._routes = {
            route.path: route
            for router in routers
            for route in router.routes
            if isinstance(route, APIRoute)
            and route.methods == {"POST"}
            and route.response_class is Response
            and _TAGS.intersection(route.tags)
            and set(inspect.signature(route.endpoint).parameters) == _PARAMETERS
        }
        handlers = {
            kind: handler
            for kind, handler in api.exception_handlers.items()
            if kind not in (500, Exception)  # the framework's own business, outside of this
        }
        self._quick = ExceptionMiddleware(self._serve, handlers=handlers)

    @property
    def paths(self) -> frozenset[str]:
        """The paths that it serves."""
        return frozenset(self._routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        route = self._routes.get(scope["path"]) if scope["type"] == "http" else None
        if route is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        scope["route"] = route  # for the request's log line and the metrics
        await self._quick(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        now = services(request)
        caller = await now.authenticator.authenticate(bearer_token(request))
        request.state.caller = caller.id
        caller.require(Permission.INFERENCE)
        endpoint: Endpoint = scope["route"].endpoint
        response = await endpoint(services=now, caller=caller, request=request)
        await response(scope, receive, send)
