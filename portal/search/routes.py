"""The route that the command palette asks while somebody types."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from backend_client import Forbidden, NotFound, Unauthenticated, Unavailable
from portal.documentation.routes import Documentation
from portal.search.results import (
    MOST,
    DocEntry,
    Result,
    doc_results,
    invoice_results,
    key_results,
    model_results,
    tenant_results,
)
from portal.session.guard import SPENDERS, Caller, callers
from portal.settings import PortalSettings

LONGEST: Final = 100
_INVOICES: Final = 200
_PRIVATE: Final = {"Cache-Control": "private, no-store"}

Question = Callable[[Caller, str], Awaitable[list[Result]]]


class Search:
    """The route for one set of settings; what is documented comes from ``documentation``."""

    def __init__(self, settings: PortalSettings, documentation: Documentation) -> None:
        self._cookie = settings.session_cookie
        self._documentation = documentation

    @property
    def routes(self) -> list[Route]:
        """The route, for the portal's app."""
        return [Route("/search.json", self.answer, methods=["GET"])]

    async def answer(self, request: Request) -> Response:
        """Return what a signed-in person may see of what they look for; 401 for strangers.

        What one kind of thing can't be asked for is left out: the others are of use all the same.
        """
        text = request.query_params.get("q", "").strip()[:LONGEST]
        address = request.client.host if request.client else None
        try:
            token = request.cookies.get(self._cookie, "")
            caller = (await callers.find(token, address=address)).at(address)
        except Unauthenticated:
            return JSONResponse([], 401, headers=_PRIVATE)
        except Unavailable:
            return JSONResponse([], 503, headers=_PRIVATE)
        if not text:
            return JSONResponse([], headers=_PRIVATE)
        kinds: tuple[Question, ...] = (_models, _keys, _invoices, _tenants)
        parts, documented = await asyncio.gather(
            asyncio.gather(*(_allowed(kind, caller, text) for kind in kinds)),
            self._documentation.entries(request),
        )
        results = [result for part in parts for result in part]
        results += doc_results(text, [DocEntry(**entry) for entry in documented])
        return JSONResponse([result.as_json() for result in results], headers=_PRIVATE)


async def _allowed(question: Question, caller: Caller, text: str) -> list[Result]:
    """Ask for a kind of thing; nothing where the person may not, or the API does not answer."""
    try:
        return await question(caller, text)
    except (Forbidden, NotFound, Unavailable):
        return []


async def _models(caller: Caller, text: str) -> list[Result]:
    models = await caller.client.models.list().all()
    return model_results(text, [model for model in models if model.allowed])


async def _keys(caller: Caller, text: str) -> list[Result]:
    return key_results((await caller.client.keys.list(search=text, limit=MOST).page()).items)


async def _invoices(caller: Caller, text: str) -> list[Result]:
    if caller.me.role not in SPENDERS:
        return []
    page = await caller.client.invoices.list(limit=_INVOICES).page()
    return invoice_results(text, page.items)


async def _tenants(caller: Caller, text: str) -> list[Result]:
    if not caller.me.is_operator:
        return []
    return tenant_results((await caller.client.tenants.list(search=text, limit=MOST).page()).items)
