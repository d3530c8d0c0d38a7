"""Usage over time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import StreamingResponse

from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import Services, ServicesNow, bearer_token, needs
from backend.api.label_filters import LabelFilter, LabelGroups, label_values
from backend.api.live_reads import still_reading
from backend.api.parameters import (
    FOLLOWING,
    GROUPS,
    Applications,
    BucketWidth,
    Keys,
    KnownETag,
    Meters,
    Models,
    TableFormat,
    UsageEnd,
    UsageStart,
    Zone,
)
from backend.api.path_parameters import TenantId
from backend.api.upstream_filters import Upstreams, require_operator_for_upstreams
from backend.api.usage_ranges import require_range
from backend.errors import FareboxError
from backend.metering.counting.labels import require_declared
from backend.metering.events import BUCKET, bucket_start
from backend.metering.queries.changes import MOST_SECONDS
from backend.metering.queries.usage import UsageQuestion, usage_csv, usage_report, usage_version
from backend.subscriptions.periods import period_at
from backend_client.types.usage import Granularity, UsageDimension, UsageReport, UsageVersion

router = APIRouter(tags=["usage"])

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}}},
    304: {"description": "Nothing changed since the ETag in If-None-Match"},
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as it was sent: times may be left out."""

    start: datetime | None
    end: datetime | None
    granularity: Granularity
    group_by: frozenset[UsageDimension]
    applications: tuple[str, ...]
    keys: tuple[str, ...]
    models: tuple[str, ...]
    upstreams: tuple[str, ...]
    meters: tuple[str, ...]
    by_labels: tuple[str, ...]
    labels: dict[str, str]
    time_zone: str | None
    answer_format: Literal["json", "csv"]
    if_none_match: str | None


async def _asked(
    start: UsageStart = None,
    end: UsageEnd = None,
    granularity: BucketWidth = Granularity.DAY,
    time_zone: Zone = None,
    group_by: Annotated[tuple[UsageDimension, ...], Query(description=GROUPS)] = (),
    application: Applications = (),
    key: Keys = (),
    model: Models = (),
    upstream: Upstreams = (),
    meter: Meters = (),
    label: LabelFilter = (),
    group_by_label: LabelGroups = (),
    answer_format: TableFormat = "json",
    if_none_match: KnownETag = None,
) -> _Asked:
    return _Asked(
        start=start,
        end=end,
        granularity=granularity,
        group_by=frozenset(group_by),
        applications=application,
        keys=key,
        models=model,
        upstreams=upstream,
        meters=meter,
        by_labels=tuple(dict.fromkeys(group_by_label)),
        labels=label_values(label),
        time_zone=time_zone,
        answer_format=answer_format,
        if_none_match=if_none_match,
    )


Asked = Annotated[_Asked, Depends(_asked)]


@router.get("/v1/usage", response_model=UsageReport, responses=_ANSWERS)
async def get_usage(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.USAGE_READ))],
    asked: Asked,
    response: Response,
) -> UsageReport | Response:
    """Sum usage by time, meter and the dimensions in ``group_by``, exactly from start to end.

    Both have to be on a quarter hour (UTC), of which usage is kept. The first and last row of a
    wider granularity hold what of their hour, day or month is in the range. Days and months are
    those of ``time_zone``. By upstream for the operator alone.
    """
    require_operator_for_upstreams(
        caller, (*asked.upstreams, *(asked.group_by & {UsageDimension.UPSTREAM}))
    )
    return await _answer(services, caller.tenant_id, asked, response)


@router.get("/v1/tenants/{tenant_id}/usage", response_model=UsageReport, responses=_ANSWERS)
async def get_tenant_usage(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
    tenant_id: TenantId,
    asked: Asked,
    response: Response,
) -> UsageReport | Response:
    """Sum a tenant's usage as the tenant can, and by upstream; for the operator."""
    return await _answer(services, tenant_id, asked, response)


@router.get(
    "/v1/usage/changes",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def follow_usage(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.USAGE_READ))],
    request: Request,
    seconds: Annotated[int, Query(ge=0, le=MOST_SECONDS, description=FOLLOWING)] = MOST_SECONDS,
) -> StreamingResponse:
    """Follow the version of the tenant's usage, as server-sent events.

    The first comes at once, others within a second of a change; a comment every five seconds shows
    that the connection holds. Ask for usage again when the version is another: many pages then
    cost one request a quarter of an hour. The stream ends when the credential does, or when its
    session moves to another tenant.
    """
    allowed = still_reading(services, bearer_token(request), caller.tenant_id)
    versions = services.changes.follow(caller.tenant_id, allowed, seconds=seconds)
    first = await anext(versions)  # errors are raised before the answer begins

    async def stream() -> AsyncIterator[str]:
        yield _sse(first)
        try:
            async with aclosing(versions):
                async for version in versions:
                    yield _sse(version)
        except (FareboxError, SQLAlchemyError):
            return  # the answer has begun and can only be ended

    return StreamingResponse(stream(), media_type="text/event-stream")


def _sse(version: UsageVersion | None) -> str:
    return ": nothing new\n\n" if version is None else f"data: {version.model_dump_json()}\n\n"


async def _answer(
    services: Services, tenant_id: str, asked: _Asked, response: Response
) -> UsageReport | Response:
    async with services.database.snapshot() as connection:
        tenant = await find_tenant(connection, tenant_id)
        now = now_of(tenant)
        version, _ = await usage_version(connection, tenant.id)
        # A sender's clock may be ahead of ours by as much as ingest accepts.
        newest = now + timedelta(seconds=services.settings.event_max_future_seconds)
        after_newest = bucket_start(newest) + BUCKET
        begin = asked.start or (await period_at(connection, tenant, now)).start
        # Weak: the end that is not given moves on, the usage before it does not. A start that is
        # not given moves too, and usage from before it leaves the answer.
        moved = "" if asked.start else f"-{begin.timestamp():.0f}"
        headers = {"etag": f'W/"{version}{moved}"', "cache-control": "private, no-cache"}
        if asked.if_none_match is not None and asked.if_none_match == headers["etag"]:
            return Response(status_code=304, headers=headers)
        question = UsageQuestion(
            start=begin.astimezone(UTC),
            end=(asked.end or after_newest).astimezone(UTC),
            granularity=asked.granularity,
            group_by=asked.group_by,
            applications=asked.applications,
            keys=asked.keys,
            models=asked.models,
            upstreams=asked.upstreams,
            meters=asked.meters,
            by_labels=asked.by_labels,
            labels=asked.labels,
            time_zone=asked.time_zone,
        )
        require_range(question.start, question.end, question.granularity)
        await require_declared(
            connection, tenant.id, group_by_label=question.by_labels, label=question.labels
        )
        report = await usage_report(connection, tenant, question)
    if asked.answer_format == "csv":
        headers["content-disposition"] = 'attachment; filename="usage.csv"'
        by_upstream = UsageDimension.UPSTREAM in question.group_by
        content = usage_csv(report.rows, question.by_labels, by_upstream=by_upstream)
        return Response(content, media_type="text/csv", headers=headers)
    response.headers.update(headers)
    return report
