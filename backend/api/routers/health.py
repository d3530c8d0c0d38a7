"""Liveness, readiness and metrics."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Request, Response, Security
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from backend.accounts.principal import Permission
from backend.api.dependencies import ServicesNow, metrics_reader
from backend.api.gauges import read_gauges

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Answer that this process runs."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "PostgreSQL or NATS does not answer"}})
async def readyz(services: ServicesNow) -> JSONResponse:
    """Check whether PostgreSQL and NATS JetStream answer now."""
    postgres, nats = await asyncio.gather(services.database.healthy(), services.stream.healthy())
    answers = {"postgresql": postgres, "nats": nats}
    ready = all(answers.values())
    return JSONResponse(
        {"status": "ready" if ready else "not_ready", "checks": answers},
        status_code=200 if ready else 503,
    )


@router.get("/metrics", response_class=Response)
async def metrics(
    request: Request,
    services: ServicesNow,
    _reader: Annotated[None, Security(metrics_reader, scopes=[Permission.OPERATE_READ.value])],
) -> Response:
    """Return this process's counters and the engines' gauges for Prometheus.

    Its credential is ``FAREBOX_METRICS_TOKEN`` or an operator's key.
    """
    counters = generate_latest(request.app.state.metrics.registry)
    counters += generate_latest(services.gateway.metrics.registry)
    gauges = await read_gauges(services.database, services.stream)
    return Response(counters + gauges, media_type=CONTENT_TYPE_LATEST)
