"""Read the inputs of a forecast from the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zlib import crc32
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.forecasting.history import RECENT_DAYS, kinds_of
from backend.forecasting.inputs import Candidate, ForecastJob
from backend.forecasting.queries import recent_mixes, spent_days, usage_history
from backend.metering.queries.rated_usage import period_usage
from backend.pricing.charges.windows import cut_at_windows
from backend.pricing.periods import quarter_hour_of
from backend.spend.gathering import open_period
from backend.spend.open_period import OpenPeriod
from backend.spend.values import plan_values
from backend.subscriptions.queries import plans_offered
from backend_client.types.accounts import Tenant


async def read_job(connection: AsyncConnection, tenant: Tenant, now: datetime) -> ForecastJob:
    """Return the job of forecasting the tenant's current period."""
    opened = await open_period(connection, tenant, now)
    history = await usage_history(connection, tenant, now)
    stretches = opened.stretches
    # The same seed all day, so that a forecast changes with usage and not by chance
    today = now.astimezone(ZoneInfo(tenant.time_zone)).date()
    return ForecastJob(
        opened,
        history,
        await spent_days(connection, tenant.id, opened.period, stretches, history.today),
        await recent_mixes(connection, tenant.id, stretches, now),
        now,
        crc32(f"{tenant.id} {today}".encode()),
        await _candidates(connection, tenant, opened, now),
    )


async def _candidates(
    connection: AsyncConnection, tenant: Tenant, opened: OpenPeriod, now: datetime
) -> Sequence[Candidate]:
    """Return the plans on sale in the tenant's currency, each with the usage by its windows."""
    plans = [
        plan
        for plan in await plans_offered(connection, tenant.id, now)
        if plan.definition.currency == tenant.currency
    ]
    until = quarter_hour_of(now)
    since = until - timedelta(days=RECENT_DAYS)
    period = opened.period
    so_far = await period_usage(
        connection,
        tenant.id,
        [cut_at_windows(plan.definition, period.start, period.end) for plan in plans],
    )
    recent = await period_usage(
        connection, tenant.id, [cut_at_windows(plan.definition, since, until) for plan in plans]
    )
    # No future has other values than there are so far: they are not simulated
    values = await plan_values(connection, tenant.id, [plan.definition for plan in plans], [period])
    return [
        Candidate(plan, [*used, *own], kinds_of(before))
        for plan, used, (own,), before in zip(plans, so_far, values, recent, strict=True)
    ]
