"""Notices when much of a quota of a plan is used, or all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.clocks import acted_on
from backend.accounts.tenants import find_tenant
from backend.errors import NotFound
from backend.kit.periodic import every
from backend.outbox.notices import LATE, Notice
from backend.outbox.queue import enqueue_notices
from backend.pricing.thresholds import threshold_reached
from backend.quotas.use import QuotaUse, current_quotas
from backend.storage.database import Database
from backend.storage.tables import usage_versions
from backend.subscriptions.periods import period_at
from backend.subscriptions.queries import current_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.notifications import (
    NotificationKind,
    QuotaReached,
)
from backend_client.types.subscriptions import SubscriptionState

EVERY_SECONDS: Final = 60.0


class QuotaNoticesWorker:
    """Looks at the quotas of tenants whose usage changed. Any number may run at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""

        async def act() -> None:
            await self.look(datetime.now(UTC))

        await every(EVERY_SECONDS, act, stop, name="quotas")

    async def look(self, now: datetime) -> int:
        """Enqueue what is due; return how many tenants were looked at."""
        query = select(usage_versions.c.tenant_id, usage_versions.c.version).where(
            acted_on(usage_versions.c.tenant_id, None)
        )
        async with self._database.begin() as connection:
            versions: dict[str, int] = dict((await connection.execute(query)).all())
        changed = [
            tenant_id
            for tenant_id, version in versions.items()
            if self._seen.get(tenant_id) != version
        ]
        for tenant_id in changed:
            async with self._database.begin() as connection:
                await notify_of_quotas(connection, tenant_id, now)
            self._seen[tenant_id] = versions[tenant_id]
        return len(changed)


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
