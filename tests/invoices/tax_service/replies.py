"""What a tax service may answer, right or wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from tests.support.invoices import APRIL, GRACE
from tests.support.tax_server import Asked, Reply, honest, taxed

NOW = APRIL + GRACE
BOUND = 1.0
"""Seconds that an impatient seller waits for the service."""


async def hangs(asked: Asked) -> Response:
    await asyncio.sleep(60)
    return await honest(asked)


async def dribbles(asked: Asked) -> Response:
    """Each part comes in time, the whole does not."""

    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(BOUND / 4)

    return StreamingResponse(parts(), media_type="application/json")


def says(status: int = 200, **changes: Any) -> Reply:
    """An answer that is honest but for this."""

    async def reply(asked: Asked) -> Response:
        return JSONResponse(taxed(asked.question) | changes, status_code=status)

    return reply


def off_by(amount: str, field: str = "amount") -> Reply:
    async def reply(asked: Asked) -> Response:
        body = taxed(asked.question)
        first = body["taxes"][0]
        first[field] = str(Decimal(first[field]) + Decimal(amount))
        return JSONResponse(body)

    return reply


async def garbage(asked: Asked) -> Response:
    return PlainTextResponse("<html>It works!</html>")


async def elsewhere(asked: Asked) -> Response:
    return RedirectResponse("/tax?again", status_code=307)


async def deep(asked: Asked) -> Response:
    return Response(b"[" * 200_000, media_type="application/json")


async def endless(asked: Asked) -> Response:
    return Response(b"[" * 300_000, media_type="application/json")
