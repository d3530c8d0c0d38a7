"""The spend of the current billing period, for readers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.rated_period import Stretch
from backend.spend.gathering import open_period, usage_version
from backend.spend.report import report
from backend.subscriptions.periods import period_at
from backend.subscriptions.stretches import plan_stretches
from backend_client.types.accounts import Tenant
from backend_client.types.spend import SpendReport


async def spend_version(connection: AsyncConnection, tenant: Tenant, now: datetime) -> str:
    """Return a string that changes with anything in the spend report but its ``as_of``."""
    period = await period_at(connection, tenant, now)
    stretches = await plan_stretches(connection, tenant.id, period)
    usage = await usage_version(connection, tenant.id)
    return _version(period, stretches, usage)


async def spend_report(
    connection: AsyncConnection,
    tenant: Tenant,
    now: datetime,
    more: Iterable[MeteredQuantity] = (),
) -> SpendReport:
    """Return the spend in the tenant's current billing period, by line.

    ``more`` is usage to rate beside the metered. Fees count from the first day, for the whole time
    in the period that the plan covers; those for a year count if the year begins in the period.
    """
    opened = await open_period(connection, tenant, now)
    return report(opened, opened.rate(more), now)


def _version(period: BillingPeriod, stretches: list[Stretch], usage: int) -> str:
    parts = [
        f"{stretch.plan.id if stretch.plan else ''}/{stretch.plan_version}/{stretch.end}"
        f"/{stretch.seats}/{dict(stretch.add_ons)}/{stretch.trial}/{stretch.years_since}"
        f"/{stretch.had}"
        for following in stretches
        for stretch in (following.before, following)
        if stretch is not None
    ]
    parts_text = "|".join([str(period.start), period.time_zone, *parts])
    return f"{usage}-{blake2b(parts_text.encode(), digest_size=8).hexdigest()}"
