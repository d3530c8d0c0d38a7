"""How calls to models went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import Services, ServicesNow, needs
from backend.api.parameters import (
    GROUPS,
    Applications,
    BucketWidth,
    Keys,
    Models,
    UsageEnd,
    UsageStart,
    Zone,
    several,
)
from backend.api.path_parameters import TenantId
from backend.api.usage_ranges import require_range
from backend.gateway.measures.call_report import CallsQuestion, calls_report
from backend.metering.events import BUCKET, bucket_start
from backend.subscriptions.periods import period_at
from backend_client.types.calls import CallDimension, CallsReport, CallStatus
from backend_client.types.usage import Granularity

router = APIRouter(tags=["usage"])


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, whose start is the billing period's of a tenant if none was sent."""

    start: datetime | None
    question: Callable[..., CallsQuestion]


async def _asked(
    start: UsageStart = None,
    end: UsageEnd = None,
    granularity: BucketWidth = Granularity.DAY,
    time_zone: Zone = None,
    group_by: Annotated[tuple[CallDimension, ...], Query(description=GROUPS)] = (),
    application: Applications = (),
    key: Keys = (),
    model: Models = (),
    status: Annotated[tuple[CallStatus, ...], several("Only calls that ended so.")] = (),
    cause: Annotated[
        tuple[str, ...],
        several(
            "Only calls that failed or were refused by it: an error's code, or a limit's name.",
            "rate_limit_exceeded",
        ),
    ] = (),
) -> _Asked:
    question = partial(
        CallsQuestion,
        end=(end or bucket_start(datetime.now(UTC)) + BUCKET).astimezone(UTC),
        granularity=granularity,
        time_zone=time_zone,
        group_by=frozenset(group_by),
        applications=application,
        keys=key,
        models=model,
        statuses=status,
        causes=cause,
    )
    return _Asked(start, question)


Asked = Annotated[_Asked, Depends(_asked)]


@router.get("/v1/usage/calls")
async def get_calls(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.USAGE_READ))],
    asked: Asked,
) -> CallsReport:
    """Count calls by time and the dimensions in ``group_by``, with percentiles of their times.

    Among them are calls that were refused, which have no event; ``cause`` says by which limit or
    error. The gateway adds what it counts every five seconds, and keeps it for 93 days. What a
    process counted since it last added is lost when it is killed: bills come from events.
    """
    return await _answer(services, caller.tenant_id, asked)


@router.get("/v1/tenants/{tenant_id}/usage/calls")
async def get_tenant_calls(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
    tenant_id: TenantId,
    asked: Asked,
) -> CallsReport:
    """Count a tenant's calls as the tenant can; for the operator."""
    return await _answer(services, tenant_id, asked)


async def _answer(services: Services, tenant_id: str, asked: _Asked) -> CallsReport:
    async with services.database.snapshot() as connection:
        tenant = await find_tenant(connection, tenant_id)
        now = datetime.now(UTC)
        start = asked.start or (await period_at(connection, tenant, now)).start
        question = asked.question(start=start.astimezone(UTC))
        require_range(question.start, question.end, question.granularity)
        return await calls_report(connection, tenant, question)
