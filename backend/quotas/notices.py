"""Notices when much of a quota of a plan is used, or all of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.errors import NotFound
from backend.outbox.notices import LATE, Notice
from backend.outbox.queue import enqueue_notices
from backend.pricing.thresholds import threshold_reached
from backend.quotas.use import QuotaUse, current_quotas
from backend.subscriptions.periods import period_at
from backend.subscriptions.queries import current_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.notifications import (
    NotificationKind,
    QuotaReached,
)
from backend_client.types.subscriptions import SubscriptionState


async def notify_of_quotas(connection: AsyncConnection, tenant_id: str, now: datetime) -> None:
    """Enqueue a notice of each quota that is passed: once a threshold and period.

    Those of a period or trial that has just ended too: what was used last is counted after it. A
    tenant without a plan, or whose plan is paused, has no quotas.
    """
    try:
        tenant = await find_tenant(connection, tenant_id)
    except NotFound:  # deleted meanwhile
        return
    notices: list[Notice] = []
    for at in [*await _just_ended(connection, tenant, now), now]:
        with suppress(NotFound):
            notices += quota_notices(tenant, await current_quotas(connection, tenant, at), now)
    await enqueue_notices(connection, notices)


async def _just_ended(
    connection: AsyncConnection, tenant: Tenant, now: datetime
) -> Collection[datetime]:
    """Return the last moments of a billing period and of a trial that have just ended."""
    ends = {(await period_at(connection, tenant, now)).start}
    with suppress(NotFound):
        before = await current_subscription(connection, tenant.id, now - LATE)
        if before.state is SubscriptionState.TRIAL and before.state_until is not None:
            ends.add(before.state_until)
    return [end - timedelta(microseconds=1) for end in sorted(ends) if now - LATE < end <= now]


def quota_notices(tenant: Tenant, uses: Iterable[QuotaUse], now: datetime) -> Iterable[Notice]:
    """Yield the notices of quotas, of each the highest threshold that is passed."""
    for use in uses:
        percent = threshold_reached(use.used, use.quota.quantity)
        if percent is not None:
            data = QuotaReached(
                meters=list(use.quota.meters),
                percent=percent,
                quantity=use.quota.quantity,
                used=use.used,
                resets_at=use.resets_at,
            )
            whose = "trial" if use.of_trial else "plan"
            meters = ",".join(sorted(use.quota.meters))
            subject = f"{whose} {meters} {use.quota.quantity:f} {use.resets_at} {percent}"
            yield Notice(NotificationKind.QUOTA_REACHED, tenant.id, subject, data, now)
