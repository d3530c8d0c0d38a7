"""A tax service on a real port, in a thread of its own: honest unless it is told otherwise."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from backend.invoices.taxing.deciding import wire_tax
from backend.pricing.tax.lines import TaxRate, add_tax
from backend_client.types.tax_service import TaxQuestion
from tests.support.waiting import until

Reply = Callable[["Asked"], Awaitable[Response]]
RATES = [TaxRate("", "State tax", Decimal("6.25")), TaxRate("", "City tax", Decimal("1.5"))]


@dataclass(frozen=True)
class Asked:
    """One question that came."""

    question: TaxQuestion
    key: str
    authorization: str | None
    body: dict[str, Any]


def taxed(question: TaxQuestion, rates: list[TaxRate] = RATES) -> dict[str, Any]:
    """What an honest service answers."""
    taxation = add_tax(question.subtotal, rates, question.currency)
    taxes = [wire_tax(tax, question.currency).model_dump(mode="json") for tax in taxation.taxes]
    fields = ("name", "percent", "inclusive")
    return {
        "taxes": [
            {field: tax[field] for field in fields}
            | {field: tax[field]["amount"] for field in ("taxable", "amount")}
            for tax in taxes
        ],
        "total": str(taxation.gross),
    }


async def honest(asked: Asked) -> Response:
    return JSONResponse(taxed(asked.question))


class TaxServer:
    """Answers as ``reply`` says, and keeps what it was ``asked``."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.reply: Reply = honest
        app = Starlette(routes=[Route("/tax", self._answer, methods=["POST"])])
        config = uvicorn.Config(
            app,
            port=0,
            log_config=None,
            ws="none",
            lifespan="off",
            loop="asyncio",  # of uvloop, two loops in two threads of one process end it at times
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    @property
    def url(self) -> str:
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/tax"

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        asked = Asked(
            TaxQuestion.model_validate_json(body),
            request.headers["idempotency-key"],
            request.headers.get("authorization"),
            json.loads(body),
        )
        self.asked.append(asked)
        return await self.reply(asked)

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
