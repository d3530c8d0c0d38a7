"""Ingest: usage events from the operator's own services and the tenants'."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import ServicesNow, needs
from backend.metering.ingest import check_events, parse_body
from backend_client.types.events import IngestResult

router = APIRouter(tags=["events"])

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/cloudevents+json": {"schema": {"type": "object"}},
            "application/cloudevents-batch+json": {
                "schema": {"type": "array", "items": {"type": "object"}}
            },
        },
    }
}


@router.post("/v1/events", status_code=202, openapi_extra=_BODY)
async def post_events(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.EVENTS_WRITE))],
    request: Request,
) -> IngestResult:
    """Take one CloudEvent or an array of them.

    Answers once every accepted event is stored by the queue. Sending an event again is harmless:
    (tenant, source, id) counts once.
    """
    members = parse_body(await request.body())
    async with services.database.begin() as connection:
        batch = await check_events(
            connection, services.settings, caller, members, datetime.now(UTC)
        )
    await services.stream.publish(batch.accepted)
    return IngestResult(
        received=batch.received,
        accepted=len(batch.accepted),
        duplicates=batch.duplicates,
        rejected=len(batch.rejected),
        errors=batch.rejected,
    )
