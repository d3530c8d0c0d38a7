"""The log of calls: a tenant's own, and one for the operator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import PageCursor, PageLimit, Services, ServicesNow, needs
from backend.api.example_values import TAIL
from backend.api.label_filters import LabelFilter, label_values
from backend.api.parameters import Applications, Keys, Models, SinceInstant, UntilInstant, several
from backend.api.path_parameters import ApplicationId, LoggedRequestId, TenantId
from backend.api.upstream_filters import Upstreams
from backend.gateway.request_log.export import requests_csv
from backend.gateway.request_log.queries import (
    RequestQuestion,
    Sight,
    every_request,
    find_request,
    list_requests,
)
from backend.gateway.request_log.settings import find_body_logging, set_body_logging
from backend_client.types.common import Page
from backend_client.types.requests import (
    BodyLogging,
    LoggedRequest,
    LoggedRequestDetails,
    RequestOutcome,
)

router = APIRouter(tags=["requests"])

Reader = Annotated[Principal, Depends(needs(Permission.USAGE_READ))]
Admin = Annotated[Principal, Depends(needs(Permission.TENANT_WRITE))]
Operator = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]


async def _question_of(
    start: SinceInstant = None,
    end: UntilInstant = None,
    outcome: Annotated[
        tuple[RequestOutcome, ...],
        several(
            "Only calls that completed, failed at the provider, were aborted by their caller, or "
            "were refused before they were made."
        ),
    ] = (),
    status: Annotated[
        tuple[Annotated[int, Field(ge=100, le=599)], ...],
        several("Only calls whose answer had these HTTP statuses, such as 429.", 429),
    ] = (),
    code: Annotated[
        tuple[str, ...],
        several(
            "Only calls that failed or were refused with these error codes.", "rate_limit_exceeded"
        ),
    ] = (),
    model: Models = (),
    key: Keys = (),
    application: Applications = (),
    upstream: Upstreams = (),
    min_duration_ms: Annotated[
        int | None,
        Query(
            ge=0,
            le=10**9,
            description="Only calls that took at least so long, in milliseconds. If left out, all.",
        ),
    ] = None,
    request_id: Annotated[
        str | None,
        Query(
            max_length=200,
            description="Only the call whose answer had this header `x-request-id`. If left out, "
            "all.",
            examples=[f"req_{TAIL}"],
        ),
    ] = None,
    event_id: Annotated[
        str | None,
        Query(
            max_length=200,
            description="Only the call whose usage is the event with this id. If left out, all.",
            examples=[f"req_{TAIL}"],
        ),
    ] = None,
    label: LabelFilter = (),
) -> RequestQuestion:
    return RequestQuestion(
        start=start,
        end=end,
        outcomes=outcome,
        statuses=status,
        codes=code,
        models=model,
        keys=key,
        applications=application,
        upstreams=upstream,
        min_duration_ms=min_duration_ms,
        request_id=request_id,
        event_id=event_id,
        labels=label_values(label),
    )


Asked = Annotated[RequestQuestion, Depends(_question_of)]


@router.get("/v1/requests")
async def get_requests(
    services: ServicesNow,
    caller: Reader,
    question: Asked,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[LoggedRequest]:
    """List the tenant's calls, newest first: how each went, and why it was refused.

    A call is listed a second or two after its end, for as many days as the seller keeps the log.
    """
    sight = _sight(services, caller, question)
    async with services.database.begin() as connection:
        return await list_requests(
            connection, caller.tenant_id, question, sight, cursor=cursor, limit=limit
        )


@router.get(
    "/v1/requests/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}}},
)
async def get_requests_file(
    services: ServicesNow, caller: Reader, question: Asked
) -> StreamingResponse:
    """Return all calls that the filters let through as CSV, newest first."""
    sight = _sight(services, caller, question)

    async def content() -> AsyncIterator[str]:
        head = True
        async for requests in every_request(services.database, caller.tenant_id, question, sight):
            yield requests_csv(requests, head=head)
            head = False

    return StreamingResponse(
        content(),
        media_type="text/csv",
        headers={"content-disposition": 'attachment; filename="requests.csv"'},
    )


@router.get("/v1/requests/{logged_id}")
async def get_request(
    services: ServicesNow, caller: Reader, logged_id: LoggedRequestId
) -> LoggedRequestDetails:
    """Return a call, with what was asked and answered where its application keeps that.

    Bodies are for those who may call models in the tenant's name: owners, admins and developers.
    """
    sight = _sight(services, caller, RequestQuestion())
    async with services.database.begin() as connection:
        return await find_request(connection, caller.tenant_id, logged_id, sight)


@router.get("/v1/tenants/{tenant_id}/requests")
async def get_tenant_requests(
    services: ServicesNow,
    caller: Operator,
    tenant_id: TenantId,
    question: Asked,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[LoggedRequest]:
    """List a tenant's calls and which upstreams served them; for the operator, without bodies."""
    sight = Sight(upstreams=True, spend=True)
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await list_requests(
            connection, tenant.id, question, sight, cursor=cursor, limit=limit
        )


@router.get("/v1/applications/{application_id}/body-logging")
async def get_body_logging(
    services: ServicesNow, caller: Reader, application_id: ApplicationId
) -> BodyLogging:
    """Return whether the log keeps the bodies of an application's calls, and for how long."""
    async with services.database.begin() as connection:
        return await find_body_logging(connection, caller.tenant_id, application_id)


@router.put("/v1/applications/{application_id}/body-logging")
async def put_body_logging(
    services: ServicesNow, caller: Admin, application_id: ApplicationId, wanted: BodyLogging
) -> BodyLogging:
    """Have the log keep the bodies of an application's calls from now on, or no longer.

    It applies within two seconds. Switching them off removes those that are kept.
    """
    async with services.database.begin() as connection:
        return await set_body_logging(connection, caller, application_id, wanted)


def _sight(services: Services, caller: Principal, question: RequestQuestion) -> Sight:
    """Return what the caller may see; raises ``Forbidden`` if it asks by more."""
    upstreams = caller.reads_as_operator or services.settings.show_upstreams
    if question.upstreams and not upstreams:
        caller.require(Permission.OPERATE_READ)
    return Sight(
        upstreams=upstreams,
        spend=Permission.SPEND_READ in caller.permissions,
        bodies=Permission.REQUEST_BODIES_READ in caller.permissions,
    )
