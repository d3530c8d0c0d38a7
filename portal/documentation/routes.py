"""The documentation's addresses: guides, the reference, search, and what programs read."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import httpx
from jinja2 import Environment, PackageLoader
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from backend_client import ClientError
from backend_client.tls import tls_context
from portal import routes
from portal.documentation.calls import METHODS, Calls
from portal.documentation.guides import Guide, Reader, find_guide, guides
from portal.documentation.rendering import html_of, sections_of
from portal.server.build import static_directory
from portal.session.guard import callers
from portal.settings import PortalSettings

MARKDOWN: Final = "text/markdown; charset=utf-8"
NO_MODEL: Final = "your-model"
"""In samples for strangers: which models there are is told to those who are signed in."""
NO_APPLICATION: Final = "app_..."
FONTS: Final = {"Geist Variable": "geist", "Geist Mono Variable": "geist-mono"}
_SCALAR: Final = "templates/scalar/js/scalar.standalone.js"
_SPEC_SECONDS: Final = 30.0
_SPEC_FRESH_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Visit:
    """Who reads: the name of a signed-in person, or None, and what is filled in for them.

    ``operates`` if they are the API's seller, for whom the reference has the seller's operations.
    """

    person: str | None
    reader: Reader
    operates: bool = False


class Documentation:
    """The routes of the documentation for one set of settings."""

    def __init__(self, settings: PortalSettings) -> None:
        self._settings = settings
        self._calls = Calls(settings)
        self._document: dict[str, Any] | None = None
        self._document_until = 0.0
        self._templates = Environment(
            loader=PackageLoader("portal.documentation"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    @property
    def routes(self) -> list[Route]:
        """The routes, for the portal's app."""
        return [
            Route("/docs", self.start, methods=["GET"]),
            Route("/docs/", self.start, methods=["GET"]),
            Route("/docs/fonts.css", self.fonts, methods=["GET"]),
            Route("/docs/search.json", self.search, methods=["GET"]),
            Route("/docs/call", self._calls.answer, methods=list(METHODS)),
            Route("/docs/{slug}.md", self.markdown, methods=["GET"]),
            Route("/docs/{slug}", self.guide, methods=["GET"]),
            Route("/llms.txt", self.for_models, methods=["GET"]),
            Route("/reference", self.reference, methods=["GET"]),
            Route("/reference/openapi.json", self.specification, methods=["GET"]),
            Route("/reference/scalar.js", self.scalar, methods=["GET"]),
        ]

    async def start(self, request: Request) -> Response:
        """Go to the first guide."""
        return RedirectResponse(f"/docs/{guides()[0].slug}", status_code=307)

    async def guide(self, request: Request) -> Response:
        """Return a guide as a page, with the reader's own model and address in its samples."""
        visit = await self._visit(request)
        if visit is None:
            return _to_sign_in(request)
        guide = find_guide(request.path_params["slug"])
        if guide is None:
            return await self._none(visit)
        place = guides().index(guide)
        text = visit.reader.fill(guide.text)
        return self._page(
            "guide.html",
            visit,
            title=guide.title,
            lead=visit.reader.fill(guide.lead),
            guide=guide,
            guides=guides(),
            body=html_of(text),
            sections=sections_of(text),
            following=guides()[place + 1] if place + 1 < len(guides()) else None,
            reader=visit.reader,
        )

    async def markdown(self, request: Request) -> Response:
        """Return a guide as it was written."""
        visit = await self._visit(request)
        if visit is None:
            return _to_sign_in(request)
        guide = find_guide(request.path_params["slug"])
        if guide is None:
            return PlainTextResponse("There is no such guide.", status_code=404)
        return Response(visit.reader.fill(guide.text), media_type=MARKDOWN)

    async def for_models(self, request: Request) -> Response:
        """Return what a language model should read first, as llmstxt.org has it."""
        visit = await self._visit(request)
        if visit is None:
            return _to_sign_in(request)
        lines = [
            f"# {self._settings.brand_name}: API documentation",
            "",
            f"> How to call the AI API at {visit.reader.api_url}; OpenAI's clients work.",
            "",
            "## Guides",
            "",
            *(f"- [{each.title}](/docs/{each.slug}.md): {_plain(each)}" for each in guides()),
            "",
            "## Reference",
            "",
            "- [OpenAPI document](/reference/openapi.json): every operation, field and error",
            "",
        ]
        return Response("\n".join(lines), media_type=MARKDOWN)

    async def search(self, request: Request) -> Response:
        """Return what the search looks through: sections of guides, and operations."""
        visit = await self._visit(request)
        if visit is None:
            return _to_sign_in(request)
        entries = await self._entries(visit)
        return JSONResponse(entries, headers={"Cache-Control": "private, max-age=300"})

    async def entries(self, request: Request) -> list[dict[str, str]]:
        """Return what the search looks through, as who asks may read it; nothing if they may not.

        Each entry has a ``title``, what it is part ``of``, where it is (``at``) and its ``text``.
        """
        visit = await self._visit(request)
        return [] if visit is None else await self._entries(visit)

    async def _entries(self, visit: _Visit) -> list[dict[str, str]]:
        entries = [
            {
                "title": section.heading,
                "of": guide.title,
                "at": f"/docs/{guide.slug}#{section.anchor}",
                "text": section.text,
            }
            for guide in guides()
            for section in sections_of(visit.reader.fill(guide.text))
        ]
        entries += [
            {
                "title": operation.get("summary", ""),
                "of": f"{method.upper()} {path}",
                "at": f"/reference#tag/{operation['tags'][0]}/{method.upper()}{path}",
                "text": operation.get("description", ""),
            }
            for path, operations in (await self._specification(visit))["paths"].items()
            for method, operation in operations.items()
            if operation.get("tags")
        ]
        return entries

    async def reference(self, request: Request) -> Response:
        """Return the page on which Scalar draws the reference."""
        visit = await self._visit(request)
        if visit is None:
            return _to_sign_in(request)
        lead = "Every operation of the API, with its parameters and answers, to try."
        return self._page("reference.html", visit, title="API reference", lead=lead)

    async def specification(self, request: Request) -> Response:
        """Return the API's OpenAPI document, with the address that customers call."""
        visit = await self._visit(request)
        if visit is None:
            return _to_sign_in(request)
        document = await self._specification(visit)
        if not document["paths"]:
            return PlainTextResponse("The API can't be reached.", status_code=502)
        return JSONResponse(document)

    async def fonts(self, request: Request) -> Response:
        """Return where the portal's fonts are: the bundler names their files by their content."""
        return Response(
            font_faces(static_directory()),
            media_type="text/css",
            headers={"Cache-Control": "public, max-age=3600"},
        )

    async def scalar(self, request: Request) -> Response:
        """Return Scalar's script; from the installed package, never from another host."""
        script = files("star_openapi_scalar").joinpath(_SCALAR)
        return FileResponse(
            str(script),
            media_type="text/javascript",
            headers={"Cache-Control": "public, max-age=86400"},
        )

    async def _specification(self, visit: _Visit) -> dict[str, Any]:
        """Return the API's own document; one without operations where it can't be reached.

        What the seller alone can do is for the seller's eyes: to others it would be in the way.
        """
        try:
            document = await self._read_specification()
        except (httpx.HTTPError, json.JSONDecodeError):
            return {"openapi": "3.1.0", "info": {"title": "", "version": ""}, "paths": {}}
        paths = document["paths"] if visit.operates else _for_customers(document["paths"])
        used = {tag for item in paths.values() for each in item.values() for tag in each["tags"]}
        return document | {
            "paths": paths,
            "tags": [tag for tag in document.get("tags", []) if tag["name"] in used],
            "servers": [{"url": self._settings.shown_api_url}],
        }

    async def _read_specification(self) -> dict[str, Any]:
        """Return the API's document, a minute old at most: strangers ask for it as they like."""
        now = time.monotonic()
        if self._document is not None and now < self._document_until:
            return self._document
        async with httpx.AsyncClient(timeout=_SPEC_SECONDS, verify=tls_context()) as client:
            answer = await client.get(f"{self._settings.api_url}/openapi.json")
            answer.raise_for_status()
            document: dict[str, Any] = answer.json()
        self._document, self._document_until = document, now + _SPEC_FRESH_SECONDS
        return document

    async def _visit(self, request: Request) -> _Visit | None:
        """Return who reads; None where only signed-in people may."""
        token = request.cookies.get(self._settings.session_cookie, "")
        api_url = self._settings.shown_api_url
        try:
            if token:
                address = request.client.host if request.client else None
                caller = await callers.find(token, address=address)
                models = await caller.client.models.list().all()
                usable = [model.id for model in models if model.available and model.allowed]
                applications = await caller.client.applications.list(limit=1).page()
                own = [application.id for application in applications.items]
                model, application = (*usable, NO_MODEL)[0], (*own, NO_APPLICATION)[0]
                reader = Reader(api_url, model, application)
                return _Visit(caller.me.name, reader, operates=caller.me.is_operator)
        except ClientError:
            # Reading goes on as a stranger's: the session has ended, or the API is away
            pass
        if not self._settings.public_docs:
            return None
        return _Visit(None, Reader(api_url, NO_MODEL, NO_APPLICATION))

    async def _none(self, visit: _Visit) -> Response:
        text = "# Not found\n\nThere is no such guide. [Start at the first one](/docs).\n"
        page = self._page(
            "guide.html",
            visit,
            status=404,
            title="Not found",
            lead="",
            guide=Guide("", "Not found", "", text),
            guides=guides(),
            body=html_of(text),
            sections=[],
            following=None,
            reader=visit.reader,
        )
        return page

    def _page(self, template: str, visit: _Visit, *, status: int = 200, **values: Any) -> Response:
        html = self._templates.get_template(template).render(
            person=visit.person,
            brand={"name": self._settings.brand_name, "links": self._settings.brand_links},
            **values,
        )
        return HTMLResponse(html, status, headers={"Cache-Control": "private, no-cache"})


def _for_customers(paths: dict[str, Any]) -> dict[str, Any]:
    """Return the paths with the operations that a customer's credential can open."""
    kept = {
        path: {
            method: operation
            for method, operation in operations.items()
            if not any(
                scope.startswith("operate")
                for scheme in operation.get("security", ())
                for scopes in scheme.values()
                for scope in scopes
            )
        }
        for path, operations in paths.items()
    }
    return {path: operations for path, operations in kept.items() if operations}


def font_faces(pages: Path) -> str:
    """Return a style sheet that names the fonts among the built pages; empty without any."""
    return "\n".join(
        f'@font-face {{ font-family: "{family}"; font-display: swap; '
        f"font-weight: 100 900; src: url(/assets/{file.name}); }}"
        for family, name in FONTS.items()
        for file in sorted((pages / "assets").glob(f"{name}-latin-wght-normal-*.woff2"))
    )


def _to_sign_in(request: Request) -> Response:
    return RedirectResponse(routes.sign_in(request.url.path), status_code=303)


def _plain(guide: Guide) -> str:
    return guide.lead.replace("`", "")
