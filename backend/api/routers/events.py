"""Ingest: usage events from the operator's own services and the tenants'."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from backend.accounts.principal import Permission, Principal
from backend.api.body_limits import bounded_body
from backend.api.dependencies import Services, ServicesNow, needs
from backend.api.errors import EventsRefused, UnsupportedContentType
from backend.metering.ingest.parsing import Refusal, SentEvent, read_json, read_lines
from backend.spend.usage_changes import preview_of
from backend_client.types.corrections import EventsPreview
from backend_client.types.events import IngestResult
from backend_client.types.problems import FieldError

router = APIRouter(tags=["events"])

_READERS = {
    "application/cloudevents+json": read_json,
    "application/cloudevents-batch+json": read_json,
    "application/json": read_json,
    "application/x-ndjson": read_lines,
    "application/ndjson": read_lines,
}

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/cloudevents+json": {"schema": {"type": "object"}},
            "application/cloudevents-batch+json": {
                "schema": {"type": "array", "items": {"type": "object"}}
            },
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    }
}

Sender = Annotated[Principal, Depends(needs(Permission.EVENTS_WRITE))]


@router.post("/v1/events", status_code=202, openapi_extra=_BODY)
async def post_events(services: ServicesNow, caller: Sender, request: Request) -> IngestResult:
    """Accept one CloudEvent, an array of them, or one on each line (NDJSON); plain or gzip.

    Answers once every accepted event is stored by the queue. Sending an event again is safe: it
    counts once by (tenant, sender, source, id). Refused events are listed, and do not affect the
    others.
    """
    return await _take(services, caller, request)


@router.post("/api/v1/events", status_code=204, openapi_extra=_BODY, response_class=Response)
async def post_openmeter_events(
    services: ServicesNow, caller: Sender, request: Request
) -> Response:
    """Accept events as OpenMeter does, for its clients: no body if all were accepted.

    If some are refused the others are accepted, and the problem names the refused ones.
    """
    result = await _take(services, caller, request)
    if result.errors:
        raise EventsRefused(
            f"{result.rejected} of {result.received} events were refused; the others were taken.",
            errors=[
                FieldError(
                    field=f"{rejected.index}.{rejected.field}"
                    if rejected.field
                    else str(rejected.index),
                    detail=rejected.detail,
                )
                for rejected in result.errors
            ],
        )
    return Response(status_code=204)


@router.post("/v1/events/preview", openapi_extra=_BODY)
async def preview_events(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE))],
    request: Request,
) -> EventsPreview:
    """Return what events would change in usage and spend if they were sent now; stores nothing.

    For backfills. Events that were counted before change nothing here either.
    """
    async with _members(services, request) as members:
        batch = await services.ingest.check(caller, members, datetime.now(UTC))
    return await preview_of(services.database, batch)


async def _take(services: Services, caller: Principal, request: Request) -> IngestResult:
    async with _members(services, request) as members:
        result = await services.ingest.accept(caller, members)
    request.app.state.metrics.note_verdict(result)
    return result


@asynccontextmanager
async def _members(
    services: Services, request: Request
) -> AsyncIterator[list[SentEvent | Refusal]]:
    media_type = request.headers.get("content-type", "application/json").partition(";")[0]
    reader = _READERS.get(media_type.strip().lower())
    if reader is None:
        raise UnsupportedContentType(f"Send events as one of: {', '.join(_READERS)}.")
    most_bytes = services.settings.max_body_bytes
    async with bounded_body(request, services.body_budget, most_bytes=most_bytes) as body:
        yield reader(body)
