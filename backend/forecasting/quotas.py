"""When the plan's quotas will be used up, if usage continues as in the futures. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal

import numpy as np

from backend.forecasting.crossing import passing
from backend.forecasting.futures import Futures
from backend.forecasting.inputs import ForecastJob
from backend_client.types.plan_terms import Quota
from backend_client.types.spend import QuotaOutlook


def quota_outlooks(
    job: ForecastJob, futures: Futures, coming: Sequence[datetime]
) -> list[QuotaOutlook]:
    """Return the outlook of each quota of the plan in force."""
    plan = job.opened.stretches[job.place_now].plan
    return [_outlook(quota, job, futures, coming) for quota in (plan.quotas if plan else ())]


def _outlook(
    quota: Quota, job: ForecastJob, futures: Futures, coming: Sequence[datetime]
) -> QuotaOutlook:
    used = used_so_far(job, quota.meters)
    crossing = passing(coming, _by_day(used, quota.meters, job, futures, coming), quota.quantity)
    return QuotaOutlook(
        meters=quota.meters,
        quantity=quota.quantity,
        limit=quota.limit,
        used=used,
        chance=crossing.chance,
        early=crossing.early,
        likely=crossing.likely,
    )


def used_so_far(job: ForecastJob, meters: Collection[str]) -> Decimal:
    """Return the period's usage of ``meters``, on any plan."""
    used = (used for stretch in job.opened.stretches for used in stretch.usage)
    return sum((metered.quantity for metered in used if metered.meter in meters), Decimal(0))


def _by_day(
    used: Decimal,
    meters: Collection[str],
    job: ForecastJob,
    futures: Futures,
    coming: Sequence[datetime],
) -> list[list[Decimal]]:
    """Return, for each coming day, the sorted quantities that the futures have used by its end."""
    more = np.zeros((job.paths, len(coming)))
    for (_, meter), paths in futures.usage.items():
        if meter in meters:
            more += paths
    by_day = np.sort(more.cumsum(axis=1), axis=0).T
    return [[used + Decimal(str(quantity)) for quantity in day] for day in by_day.tolist()]
