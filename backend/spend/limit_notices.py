"""Notices of limits that a tenant comes near: quotas of its plan, and budgets of its keys."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.budgets import budget_of
from backend.accounts.clocks import acted_on
from backend.accounts.tenants import find_tenant
from backend.budgets.owners import BudgetOwner, OwnBudget
from backend.budgets.spent import SpentBudget, spent_budgets
from backend.errors import NotFound
from backend.kit.periodic import every
from backend.outbox.notices import LATE, Notice
from backend.outbox.queue import enqueue_notices
from backend.quotas.use import QuotaUse, current_quotas
from backend.storage.database import Database
from backend.storage.tables import api_keys, usage_versions
from backend.subscriptions.periods import period_at
from backend.subscriptions.queries import current_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.notifications import (
    CreditAmount,
    KeyBudgetReached,
    NotificationKind,
    QuotaReached,
)
from backend_client.types.subscriptions import SubscriptionState

EVERY_SECONDS: Final = 60.0
THRESHOLDS: Final = (100, 80)
"""Percentages at which a tenant is told, the highest first."""


class LimitsWorker:
    """Looks at the limits of tenants whose usage changed. Any number may run at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""

        async def act() -> None:
            await self.look(datetime.now(UTC))

        await every(EVERY_SECONDS, act, stop, name="limits")

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
                await notify_of_limits(connection, tenant_id, now)
            self._seen[tenant_id] = versions[tenant_id]
        return len(changed)


async def notify_of_limits(connection: AsyncConnection, tenant_id: str, now: datetime) -> None:
    """Enqueue a notice of each quota and key's budget that is passed: once a threshold and period.

    Those of a period or trial that has just ended too: what was used last is counted after it. A
    tenant without a plan, or whose plan is paused, has no limits to come near.
    """
    try:
        tenant = await find_tenant(connection, tenant_id)
    except NotFound:  # deleted meanwhile
        return
    notices: list[Notice] = []
    for at in [*await _just_ended(connection, tenant, now), now]:
        with suppress(NotFound):
            notices += quota_notices(tenant, await current_quotas(connection, tenant, at), now)
    query = select(
        api_keys.c.id,
        api_keys.c.name,
        api_keys.c.created_at,
        api_keys.c.budget_amount,
        api_keys.c.budget_period,
        api_keys.c.budget_limit,
    ).where(
        api_keys.c.tenant_id == tenant_id,
        api_keys.c.budget_amount.is_not(None),
        api_keys.c.revoked_at.is_(None),
    )
    rows = (await connection.execute(query)).mappings().all()
    names = {row["id"]: row["name"] for row in rows}
    budgets = [
        (OwnBudget(BudgetOwner("key", row["id"]), budget), row["created_at"])
        for row in rows
        if (budget := budget_of(row)) is not None
    ]
    for spent in await spent_budgets(connection, tenant, budgets, now):
        notices += budget_notices(tenant, names[spent.own.owner.id], spent, now)
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
        percent = _passed(use.used, use.quota.quantity)
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


def budget_notices(
    tenant: Tenant, name: str, reached: SpentBudget, now: datetime
) -> Iterable[Notice]:
    """Yield the notice of a key's budget, of the highest threshold that is passed."""
    key_id, amount, ends = reached.own.owner.id, reached.own.budget.amount, reached.period.end
    percent = _passed(reached.spent, amount)
    if percent is not None:
        data = KeyBudgetReached(
            key_id=key_id,
            name=name,
            percent=percent,
            budget=CreditAmount(amount=amount, currency=tenant.currency),
            used=CreditAmount(amount=reached.spent, currency=tenant.currency),
            resets_at=ends,
        )
        subject = f"{key_id} {amount:f} {ends} {percent}"
        yield Notice(NotificationKind.KEY_BUDGET_REACHED, tenant.id, subject, data, now)


def _passed(used: Decimal, limit: Decimal) -> int | None:
    """Return the highest threshold that is reached; None if none is, or nothing is used."""
    if used <= 0:
        return None
    return next((percent for percent in THRESHOLDS if used * 100 >= limit * percent), None)
