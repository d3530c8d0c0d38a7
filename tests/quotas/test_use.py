"""Quotas: what is left of them this period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend.errors import NotFound
from backend.quotas.use import current_quotas
from backend.storage.database import Database
from backend.subscriptions.changes import change_plan, start_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.catalog import Catalog
from backend_client.types.plan_terms import QuotaLimit
from backend_client.types.subscriptions import SubscriptionChange
from tests.support.billing import NOW, add_usage

pytestmark = pytest.mark.engine

START = datetime(2026, 2, 1, tzinfo=UTC)


async def test_a_quota_counts_its_meters_over_all_models_in_the_period(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "free", START)
    await add_usage(
        database,
        tenant,
        ("2026-02-28T23:45Z", "large", "input_tokens", "400"),
        ("2026-03-01T00:00Z", "large", "input_tokens", "500"),
        ("2026-03-02T00:00Z", "small", "output_tokens", "300"),
        ("2026-03-02T00:00Z", "small", "requests", "9"),
    )
    async with database.begin() as connection:
        (use,) = await current_quotas(connection, tenant, NOW)
    assert (use.used, use.remaining) == (800, 200)
    assert use.quota.limit is QuotaLimit.HARD
    assert use.resets_at == datetime(2026, 4, 1, tzinfo=UTC)


async def test_a_passed_quota_has_nothing_left(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "free", START)
    await add_usage(database, tenant, ("2026-03-02T00:00Z", "small", "output_tokens", "1001"))
    async with database.begin() as connection:
        (use,) = await current_quotas(connection, tenant, NOW)
    assert (use.used, use.remaining) == (1001, 0)


async def test_a_plan_without_quotas_has_none_and_no_plan_is_an_error(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    async with database.begin() as connection:
        with pytest.raises(NotFound):
            await current_quotas(connection, tenant, NOW)
        await start_subscription(connection, tenant.id, "free", START)
        await change_plan(connection, tenant.id, SubscriptionChange(plan="paid"), NOW)
        assert await current_quotas(connection, tenant, NOW + timedelta(hours=1)) == []
