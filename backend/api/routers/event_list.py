"""A tenant's events: pages of them, and a live tail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import StreamingResponse

from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import (
    PageCursor,
    PageLimit,
    ServicesNow,
    bearer_token,
    needs,
)
from backend.api.example_values import INSTANT, TAIL
from backend.api.label_filters import LabelFilter, label_values
from backend.api.live_reads import still_reading
from backend.api.parameters import (
    FOLLOWING,
    Applications,
    Keys,
    Meters,
    Models,
    SinceInstant,
    UntilInstant,
    several,
)
from backend.api.path_parameters import TenantId
from backend.api.upstream_filters import Upstreams, require_operator_for_upstreams
from backend.errors import FareboxError, InvalidInput
from backend.metering.queries.event_list import EventQuestion, list_events
from backend.metering.queries.tail import MOST_SECONDS
from backend_client.types.common import Page
from backend_client.types.events import Sender, StoredEvent
from backend_client.types.problems import FieldError

router = APIRouter(tags=["events"])

Reader = Annotated[Principal, Depends(needs(Permission.USAGE_READ))]


async def _question_of(
    start: SinceInstant = None,
    end: UntilInstant = None,
    sender: Annotated[
        tuple[Sender, ...],
        several("Only of those that the gateway, the operator or the tenant sent."),
    ] = (),
    source: Annotated[
        tuple[str, ...],
        several("Only of these sources, as the events name them.", "https://chat.example.com"),
    ] = (),
    event_id: Annotated[
        tuple[str, ...],
        several(
            "Only events with these ids, as their senders chose them.", f"req_{TAIL}", alias="id"
        ),
    ] = (),
    application: Applications = (),
    key: Keys = (),
    model: Models = (),
    upstream: Upstreams = (),
    meter: Meters = (),
    label: LabelFilter = (),
) -> EventQuestion:
    return EventQuestion(
        start=start,
        end=end,
        senders=sender,
        sources=source,
        ids=event_id,
        applications=application,
        keys=key,
        models=model,
        upstreams=upstream,
        meters=meter,
        labels=label_values(label),
    )


Asked = Annotated[EventQuestion, Depends(_question_of)]


@router.get("/v1/events")
async def get_events(
    services: ServicesNow,
    caller: Reader,
    question: Asked,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[StoredEvent]:
    """List the tenant's events, newest first by the time of use, as they count now."""
    require_operator_for_upstreams(caller, question.upstreams)
    async with services.database.begin() as connection:
        return await list_events(
            connection,
            caller.tenant_id,
            question,
            cursor=cursor,
            limit=limit,
            with_upstreams=caller.reads_as_operator,
        )


@router.get("/v1/tenants/{tenant_id}/events")
async def get_tenant_events(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
    tenant_id: TenantId,
    question: Asked,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[StoredEvent]:
    """List a tenant's events, as the tenant sees them, and who served them; for the operator."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await list_events(
            connection, tenant.id, question, cursor=cursor, limit=limit, with_upstreams=True
        )


@router.get(
    "/v1/events/tail",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def tail_events(
    services: ServicesNow,
    caller: Reader,
    request: Request,
    last_event_id: Annotated[
        str | None,
        Header(
            description="The `id` of the last event that was received, to go on from there. "
            "Browsers send it when they reconnect; if left out, it begins now.",
            examples=[INSTANT],
        ),
    ] = None,
    seconds: Annotated[int, Query(ge=0, le=MOST_SECONDS, description=FOLLOWING)] = MOST_SECONDS,
) -> StreamingResponse:
    """Follow the tenant's events as they are counted, as server-sent events.

    Each is a ``StoredEvent``, with the time of its receipt as id: a browser that reconnects
    continues from there, and may see the last ones twice. The stream ends when the credential does,
    or when its session moves to another tenant.
    """
    allowed = still_reading(services, bearer_token(request), caller.tenant_id)
    since = _since(last_event_id)
    looks = services.tails.follow(caller.tenant_id, since, allowed, seconds=seconds)
    first = await anext(looks)  # errors are raised before the answer begins

    async def stream() -> AsyncIterator[str]:
        yield _sse(first)
        try:
            async for events in looks:
                yield _sse(events)
        except FareboxError:
            return  # the answer has begun and can only be ended

    return StreamingResponse(stream(), media_type="text/event-stream")


def _sse(events: list[StoredEvent]) -> str:
    if not events:
        return ": nothing new\n\n"  # also detects a lost connection
    return "".join(
        f"id: {event.received_at.isoformat()}\ndata: {event.model_dump_json()}\n\n"
        for event in events
    )


def _since(last_event_id: str | None) -> datetime | None:
    if not last_event_id:
        return None
    try:
        moment = datetime.fromisoformat(last_event_id)
        moment.astimezone()
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInput(
            "Last-Event-ID is not one of this stream's.",
            errors=[FieldError(field="last-event-id", detail="send one that an event had")],
        )
    return moment
