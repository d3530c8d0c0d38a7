"""What usage cost over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import Services, ServicesNow, needs
from backend.api.label_filters import LabelFilter, LabelGroups, label_values
from backend.api.parameters import (
    GROUPS,
    Applications,
    BucketWidth,
    Keys,
    Meters,
    Models,
    UsageEnd,
    UsageStart,
    Zone,
)
from backend.api.path_parameters import TenantId
from backend.api.usage_ranges import require_range
from backend.metering.counting.labels import require_declared
from backend.metering.events import BUCKET, bucket_start
from backend.spend.cost_report import CostQuestion, cost_report
from backend.subscriptions.periods import period_at
from backend_client.types.cost import CostDimension, CostReport
from backend_client.types.usage import Granularity

router = APIRouter(tags=["spend"])
_LONGEST = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, from the billing period's start of a tenant to its now where none was sent."""

    start: datetime | None
    end: datetime | None
    question: Callable[..., CostQuestion]


async def _asked(
    start: UsageStart = None,
    end: UsageEnd = None,
    granularity: BucketWidth = Granularity.DAY,
    time_zone: Zone = None,
    group_by: Annotated[tuple[CostDimension, ...], Query(description=GROUPS)] = (),
    application: Applications = (),
    key: Keys = (),
    model: Models = (),
    meter: Meters = (),
    label: LabelFilter = (),
    group_by_label: LabelGroups = (),
) -> _Asked:
    question = partial(
        CostQuestion,
        granularity=granularity,
        time_zone=time_zone,
        group_by=frozenset(group_by),
        applications=application,
        keys=key,
        models=model,
        meters=meter,
        by_labels=tuple(dict.fromkeys(group_by_label)),
        labels=label_values(label),
    )
    return _Asked(start, end, question)


Asked = Annotated[_Asked, Depends(_asked)]


@router.get("/v1/usage/cost")
async def get_usage_cost(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.SPEND_READ))],
    asked: Asked,
) -> CostReport:
    """Return what usage cost by time and the dimensions in ``group_by``, unrounded.

    A bucket costs what the billing period's lines for usage came to at its end, less what they came
    to at its beginning: tiers and included units count as on the bill. A line is divided by who
    used what it prices. In at most 200 buckets of time. By label where labels are declared.
    """
    return await _answer(services, caller.tenant_id, asked)


@router.get("/v1/tenants/{tenant_id}/usage/cost")
async def get_tenant_usage_cost(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
    tenant_id: TenantId,
    asked: Asked,
) -> CostReport:
    """Return what a tenant's usage cost, as the tenant can; for the operator."""
    return await _answer(services, tenant_id, asked)


async def _answer(services: Services, tenant_id: str, asked: _Asked) -> CostReport:
    async with services.database.snapshot() as connection:
        tenant = await find_tenant(connection, tenant_id)
        now = now_of(tenant)
        start = asked.start or (await period_at(connection, tenant, now)).start
        end = asked.end or bucket_start(now) + BUCKET
        question = asked.question(start=start.astimezone(UTC), end=end.astimezone(UTC))
        require_range(question.start, question.end, question.granularity, most=_LONGEST)
        await require_declared(
            connection, tenant.id, group_by_label=question.by_labels, label=question.labels
        )
        return await cost_report(connection, tenant, question)
