"""Usage over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Response

from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import ServicesNow, needs
from backend.api.errors import SpanTooLong
from backend.api.label_filters import LabelFilter, label_values
from backend.errors import InvalidInput
from backend.metering.counting.labels import require_declared
from backend.metering.queries.usage import UsageQuestion, usage_csv, usage_report, usage_version
from backend.pricing.periods import billing_period
from backend_client.types.common import Instant
from backend_client.types.problems import FieldError
from backend_client.types.usage import Granularity, UsageDimension, UsageReport

router = APIRouter(tags=["usage"])

_LONGEST = {
    Granularity.QUARTER_HOUR: timedelta(days=31),
    Granularity.HOUR: timedelta(days=93),
}


@router.get(
    "/v1/usage",
    response_model=UsageReport,
    responses={
        200: {"content": {"text/csv": {}}},
        304: {"description": "Nothing changed since the ETag in If-None-Match"},
    },
)
async def get_usage(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.USAGE_READ))],
    response: Response,
    start: Annotated[Instant | None, Query(description="The billing period's if none")] = None,
    end: Annotated[
        Instant | None, Query(description="Exclusive; the newest event's if none")
    ] = None,
    granularity: Granularity = Granularity.DAY,
    group_by: Annotated[tuple[UsageDimension, ...], Query()] = (),
    application: Annotated[tuple[str, ...], Query()] = (),
    key: Annotated[tuple[str, ...], Query()] = (),
    model: Annotated[tuple[str, ...], Query()] = (),
    meter: Annotated[tuple[str, ...], Query()] = (),
    label: LabelFilter = (),
    group_by_label: Annotated[tuple[str, ...], Query(max_length=5)] = (),
    answer_format: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
    if_none_match: Annotated[str | None, Header()] = None,
) -> UsageReport | Response:
    """Sum usage by time, meter and the dimensions in ``group_by``."""
    now = datetime.now(UTC)
    async with services.database.snapshot() as connection:
        tenant = await find_tenant(connection, caller.tenant_id)
        version, _ = await usage_version(connection, tenant.id)
        # A sender's clock may be ahead of ours by as much as ingest accepts.
        latest = now + timedelta(seconds=services.settings.event_max_future_seconds)
        begin = start or billing_period(now, tenant.time_zone).start
        # Weak: the end that is not given moves on, the usage before it does not. A start that is
        # not given moves too, and usage from before it leaves the answer.
        moved = "" if start else f"-{begin.timestamp():.0f}"
        headers = {"etag": f'W/"{version}{moved}"', "cache-control": "private, no-cache"}
        if if_none_match is not None and if_none_match == headers["etag"]:
            return Response(status_code=304, headers=headers)
        question = UsageQuestion(
            start=begin.astimezone(UTC),
            end=(end or latest).astimezone(UTC),
            granularity=granularity,
            group_by=frozenset(group_by),
            applications=application,
            keys=key,
            models=model,
            meters=meter,
            by_labels=tuple(dict.fromkeys(group_by_label)),
            labels=label_values(label),
        )
        _check_range(question)
        await require_declared(
            connection, tenant.id, group_by_label=question.by_labels, label=question.labels
        )
        report = await usage_report(connection, tenant, question)
    if answer_format == "csv":
        headers["content-disposition"] = 'attachment; filename="usage.csv"'
        return Response(
            usage_csv(report.rows, question.by_labels), media_type="text/csv", headers=headers
        )
    response.headers.update(headers)
    return report


def _check_range(question: UsageQuestion) -> None:
    if question.end <= question.start:
        raise InvalidInput(
            "end must be after start.", errors=[FieldError(field="end", detail="not after start")]
        )
    longest = _LONGEST.get(question.granularity)
    if longest is not None and question.end - question.start > longest:
        raise SpanTooLong(
            f"At this granularity a question spans at most {longest.days} days.",
            errors=[FieldError(field="granularity", detail="choose a wider one, or less time")],
        )
