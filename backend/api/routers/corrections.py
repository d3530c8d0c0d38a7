"""Corrections of usage events: the operator creates them, the tenant can read them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.applications import find_application
from backend.accounts.audit.writing import record
from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import PageCursor, PageLimit, ServicesNow, needs
from backend.api.path_parameters import TenantId
from backend.api.tenant_scope import named_tenant
from backend.errors import InvalidInput, NotFound
from backend.metering.counting.corrections import Amended, CorrectionWanted
from backend.metering.counting.preview import usage_changes
from backend.metering.queries.correction_list import list_corrections
from backend.spend.usage_changes import spend_changes
from backend.wallets.corrections import correct_events
from backend_client.types.common import Page
from backend_client.types.corrections import (
    Correction,
    CorrectionBatch,
    CorrectionCreate,
    CorrectionOutcome,
    CorrectionResult,
)
from backend_client.types.problems import FieldError

router = APIRouter(tags=["events"])

EventSource = Annotated[
    str | None,
    Query(
        description="Only corrections of events of this source. If left out, all.",
        examples=["https://chat.example.com"],
    ),
]
EventId = Annotated[
    str | None,
    Query(
        description="Only corrections of events with this id. If left out, all.",
        examples=["req-000001"],
    ),
]


@router.post("/v1/corrections")
async def post_corrections(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))],
    batch: CorrectionBatch,
    preview: Annotated[bool, Query(description="Answer what it would do, and do nothing.")] = False,
) -> CorrectionResult:
    """Void or amend events of a tenant: all in the request, or none.

    Usage changes at once, in the quarter hours of the events. The last correction of an event
    applies. An invoiced period keeps its invoice; the difference is billed in the next. The excess
    cost of a call that was paid from the wallet is returned.
    """
    async with services.database.snapshot() as before, services.database.engine.connect() as after:
        tenant = await named_tenant(after, caller, batch.tenant)
        await _check_applications(after, tenant.id, batch.corrections)
        wanted = [_wanted(correction, caller) for correction in batch.corrections]
        states, deltas = await correct_events(after, tenant.id, wanted, now_of(tenant))
        changes = usage_changes(deltas)
        spend = await spend_changes(before, after, tenant, (change.start for change in changes))
        for correction, state in zip(batch.corrections, states, strict=True):
            if state != "repeated":
                target = f"{correction.event.source} {correction.event.id}"
                detail: dict[str, object] = {
                    "correction": correction.id,
                    "reason": correction.reason,
                }
                action = f"event.{correction.action}"
                await record(after, caller, action, target, tenant_id=tenant.id, detail=detail)
        await (after.rollback() if preview else after.commit())
    outcomes = [
        CorrectionOutcome(id=correction.id, state=state)
        for correction, state in zip(batch.corrections, states, strict=True)
    ]
    return CorrectionResult(preview=preview, corrections=outcomes, changes=changes, spend=spend)


@router.get("/v1/corrections")
async def get_corrections(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.USAGE_READ))],
    source: EventSource = None,
    event: EventId = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[Correction]:
    """List the corrections of the tenant's events, newest first, with the data before and after."""
    async with services.database.begin() as connection:
        return await list_corrections(
            connection,
            caller.tenant_id,
            source=source,
            event=event,
            cursor=cursor,
            limit=limit,
            with_upstreams=caller.reads_as_operator,
        )


@router.get("/v1/tenants/{tenant_id}/corrections")
async def get_tenant_corrections(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
    tenant_id: TenantId,
    source: EventSource = None,
    event: EventId = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[Correction]:
    """List the corrections of a tenant's events, as it sees them; for the operator."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await list_corrections(
            connection,
            tenant.id,
            source=source,
            event=event,
            cursor=cursor,
            limit=limit,
            with_upstreams=True,
        )


async def _check_applications(
    connection: AsyncConnection, tenant_id: str, corrections: list[CorrectionCreate]
) -> None:
    for place, correction in enumerate(corrections):
        if correction.data is None:
            continue
        try:
            await find_application(connection, tenant_id, correction.data.application)
        except NotFound as error:
            field = f"corrections.{place}.data.application"
            raise InvalidInput(
                error.detail, errors=[FieldError(field=field, detail="names none of the tenant's")]
            ) from None


def _wanted(correction: CorrectionCreate, caller: Principal) -> CorrectionWanted:
    data = correction.data
    return CorrectionWanted(
        id=correction.id,
        event_sender=correction.event.sender,
        event_source=correction.event.source,
        event_id=correction.event.id,
        data=None
        if data is None
        else Amended(
            application_id=data.application,
            key_id=data.key or "",
            model=data.model,
            upstream=data.upstream,
            quantities=dict(data.quantities),
            labels=dict(data.labels),
            counted=None if data.counted is None else dict(data.counted),
        ),
        reason=correction.reason,
        actor=caller.id,
    )
