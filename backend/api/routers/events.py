"""Ingest: usage events from the operator's own services and the tenants'."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from backend.accounts.principal import Permission, Principal
from backend.api.body_limits import bounded_body
from backend.api.dependencies import Services, ServicesNow, needs
from backend.api.errors import EventsRefused, UnsupportedContentType
from backend.errors import MalformedRequest, TooLarge, UnsupportedMedia
from backend.metering.ingest.binary_mode import SIGN, read_binary_mode
from backend.metering.ingest.parsing import is_array, read_json, read_lines
from backend.metering.ingest.plain_events import SentEvent
from backend.metering.refusals.refusal import Refusal
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
_STRUCTURED = "application/cloudevents"
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s;"]+)', re.IGNORECASE)

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

    A single one also in binary mode: its attributes in `ce-` headers, its data as the body.
    Answers once every accepted event is stored by the queue. Sending an event again is safe: it
    counts once by (tenant, sender, source, id). Refused members of an array or NDJSON are listed,
    and do not affect the others; a single event that is refused is answered 422.
    """
    result, alone = await _take(services, caller, request)
    if alone and result.errors:
        # Who sends one event may look at the status alone, and would take 202 for success
        [refused] = result.errors
        field = refused.field or "event"
        raise EventsRefused(
            f"The event was refused: {field}: {refused.detail}.",
            errors=[FieldError(field=field, detail=refused.detail)],
        )
    return result


@router.post("/api/v1/events", status_code=204, openapi_extra=_BODY, response_class=Response)
async def post_openmeter_events(
    services: ServicesNow, caller: Sender, request: Request
) -> Response:
    """Accept events as OpenMeter does, for its clients: no body if all were accepted.

    If some are refused the others are accepted, and the problem names the refused ones.
    """
    result, _ = await _take(services, caller, request)
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
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
    request: Request,
) -> EventsPreview:
    """Return what events would change in usage and spend if they were sent now; stores nothing.

    For backfills. Events that were counted before change nothing here either.
    """
    async with _sent(services, request) as sent:
        batch = await services.ingest.check(caller, sent.members, datetime.now(UTC))
    return await preview_of(services.database, batch)


@dataclass(frozen=True, slots=True)
class _Sent:
    """The members of a request; whether it is one event ``alone``, in no array or NDJSON."""

    members: list[SentEvent | Refusal]
    alone: bool


async def _take(
    services: Services, caller: Principal, request: Request
) -> tuple[IngestResult, bool]:
    """Accept what a request holds; return the verdict, and whether it is one event alone."""
    try:
        async with _sent(services, request) as sent:
            result = await services.ingest.accept(caller, sent.members)
    except (MalformedRequest, TooLarge, UnsupportedMedia) as error:
        services.ingest.note_refused_request(caller, error)
        raise
    request.app.state.metrics.note_verdict(result)
    return result, sent.alone


@asynccontextmanager
async def _sent(services: Services, request: Request) -> AsyncIterator[_Sent]:
    content_type = request.headers.get("content-type", "application/json")
    media_type = content_type.partition(";")[0].strip().lower()
    in_headers = SIGN in request.headers and not media_type.startswith(_STRUCTURED)
    reader = _READERS.get(media_type)
    if reader is None and not in_headers:
        raise UnsupportedContentType(f"Send events as one of: {', '.join(_READERS)}.")
    charset = _CHARSET.search(content_type)
    if charset is not None and charset[1].lower() not in _CHARSETS:
        raise UnsupportedContentType("Send events in UTF-8, as JSON is.")
    most_bytes = services.settings.max_body_bytes
    async with bounded_body(request, services.body_budget, most_bytes=most_bytes) as body:
        if in_headers:
            event = read_binary_mode(request.headers.items(), content_type, body)
            yield _Sent([event], alone=True)
        elif reader is not None:
            yield _Sent(reader(body), alone=reader is read_json and not is_array(body))
