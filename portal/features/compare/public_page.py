"""Plans compared by anybody: a page and its files, for who is not signed in.

A page of plain HTML by the address alone: it opens no websocket, and costs nothing between two
questions. The API limits how often one address may ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from jinja2 import Environment, PackageLoader
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from backend_client import INTERACTIVE, AsyncFareboxClient, ClientError, RateLimited
from backend_client.types.simulate import Simulation
from portal.features.compare.csv_file import simulation_csv
from portal.features.compare.curve_drawing import HEIGHT, WIDTH, Drawing, drawing
from portal.features.compare.rows import crossovers, curve_points, period_days, plan_columns
from portal.features.compare.workload import (
    MOST_CHATS,
    MOST_GROWTH,
    MOST_MONTHS,
    MOST_SEATS,
    MOST_TOKENS,
    Choice,
    curve,
    curve_volumes,
    from_query,
    simulation,
    to_query,
)
from portal.session.downloads import CSV, PDF
from portal.session.guard import forwarded_for
from portal.settings import PortalSettings

FIELDS: tuple[tuple[str, str, int, int], ...] = (
    ("chats", "Chats a day", 1, MOST_CHATS),
    ("tokens_in", "Input tokens a chat", 0, MOST_TOKENS),
    ("tokens_out", "Output tokens a chat", 0, MOST_TOKENS),
    ("cached", "Cached part of the input, %", 0, 100),
    ("growth", "Growth a month, %", -50, MOST_GROWTH),
    ("months", "Months to come", 1, MOST_MONTHS),
    ("seats", "Seats", 0, MOST_SEATS),
)
SHARE = "share:"
"""What the field of a model's part of the chats begins with."""


class PublicCompare:
    """The routes under ``/plans``; none unless the seller has it so."""

    def __init__(self, settings: PortalSettings) -> None:
        self._settings = settings
        self._templates = Environment(
            loader=PackageLoader("portal.features.compare"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    @property
    def routes(self) -> list[Route]:
        """The routes, for the portal's app."""
        if not self._settings.public_compare:
            return []
        return [
            Route("/plans", self.page, methods=["GET"]),
            Route("/plans/", self.page, methods=["GET"]),
            Route("/plans.csv", self.csv_file, methods=["GET"]),
            Route("/plans.pdf", self.pdf_file, methods=["GET"]),
        ]

    async def page(self, request: Request) -> Response:
        """Show the plans side by side, for the workload in the address."""
        try:
            async with self._client(request) as client:
                names = await _models(client)
                choice = _choice(request.query_params, list(names))
                plans, volumes = await _answers(client, choice)
        except ClientError as problem:
            return self._page(Choice(), {}, problem=_sentence(problem), status=_status(problem))
        return self._page(choice, names, plans=plans, volumes=volumes)

    async def csv_file(self, request: Request) -> Response:
        """Return the bills line by line."""
        try:
            async with self._client(request) as client:
                plans, _ = await _answers(client, await _asked(client, request), curve_too=False)
        except ClientError as problem:
            return PlainTextResponse(_sentence(problem), status_code=_status(problem))
        if plans is None:
            return PlainTextResponse("There is nothing to compare.", status_code=404)
        return _file(simulation_csv(plans), "plans.csv", CSV)

    async def pdf_file(self, request: Request) -> Response:
        """Return the comparison to be sent or printed."""
        try:
            async with self._client(request) as client:
                question = simulation(await _asked(client, request))
                if question is None:
                    return PlainTextResponse("There is nothing to compare.", status_code=404)
                content = await client.simulations.public_pdf(question)
        except ClientError as problem:
            return PlainTextResponse(_sentence(problem), status_code=_status(problem))
        return _file(content, "plans.pdf", PDF)

    def _client(self, request: Request) -> AsyncFareboxClient:
        client = AsyncFareboxClient(self._settings.api_url, profile=INTERACTIVE)
        if request.client is None:
            return client
        # The API counts by whose browser asks
        return client.with_headers(forwarded_for(request.client.host))

    def _page(
        self,
        choice: Choice,
        names: Mapping[str, str],
        *,
        plans: Simulation | None = None,
        volumes: Simulation | None = None,
        problem: str = "",
        status: int = 200,
    ) -> Response:
        chart, sentences = _curve(choice, volumes)
        html = self._templates.get_template("plans.html").render(
            brand={"name": self._settings.brand_name, "links": self._settings.brand_links},
            fields=[(*field, getattr(choice, field[0])) for field in FIELDS],
            mix=[(f"{SHARE}{part.model}", names[part.model], part.share) for part in choice.mix],
            query=to_query(choice),
            columns=plan_columns(plans.plans, choice) if plans else [],
            currency=plans.currency if plans else "",
            chart=chart,
            width=WIDTH,
            height=HEIGHT,
            crossings=sentences,
            problem=problem,
        )
        return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})


async def _models(client: AsyncFareboxClient) -> dict[str, str]:
    return {model.id: model.name for model in (await client.simulations.public_models()).models}


async def _asked(client: AsyncFareboxClient, request: Request) -> Choice:
    return _choice(request.query_params, list(await _models(client)))


def _choice(query: QueryParams, models: list[str]) -> Choice:
    """Read the workload of an address, whether it is a link or what a form sends."""
    values: dict[str, Any] = {name: value for name, value in query.items() if name != "basis"}
    shares = [
        f"{name.removeprefix(SHARE)}:{value}"
        for name, value in query.items()
        if name.startswith(SHARE)
    ]
    if shares:
        values["mix"] = ",".join(shares)
    return from_query(values, models)


async def _answers(
    client: AsyncFareboxClient, choice: Choice, *, curve_too: bool = True
) -> tuple[Simulation | None, Simulation | None]:
    asked = (simulation(choice), curve(choice) if curve_too else None)

    async def run(place: int) -> Simulation | None:
        question = asked[place]
        return None if question is None else await client.simulations.run_publicly(question)

    plans, volumes = await asyncio.gather(run(0), run(1))
    return plans, volumes


def _curve(choice: Choice, volumes: Simulation | None) -> tuple[Drawing | None, list[str]]:
    if volumes is None or not volumes.plans:
        return None, []
    periods = volumes.plans[0].periods
    days = period_days(periods)
    points = curve_points(volumes.plans, curve_volumes(choice, days))
    a_month = choice.chats * sum(days, Decimal(0)) / len(periods)
    return drawing(points, a_month, volumes.currency), crossovers(points)


def _sentence(problem: ClientError) -> str:
    if isinstance(problem, RateLimited):
        return "That was a lot at once. Wait a moment, then compare again."
    return str(problem)


def _status(problem: ClientError) -> int:
    return 429 if isinstance(problem, RateLimited) else 502


def _file(content: str | bytes, name: str, media_type: str) -> Response:
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return Response(content, media_type=media_type, headers=headers)
