"""A trial's own quotas: no call on trial passes them, and who pays knows nothing of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError

from backend.catalog.published import apply_catalog
from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.quotas.entitlements import entitlements
from backend.quotas.errors import QuotaExhausted
from backend.quotas.holds import CallUnits, QuotaHolds
from backend.storage.database import Database
from backend.subscriptions.changes import change_plan, start_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.entitlements import QuotaStanding
from backend_client.types.plans import PlanDefinition
from backend_client.types.subscriptions import SubscriptionChange
from tests.support.billing import catalog_with

pytestmark = pytest.mark.engine

SOURCE = "test"
BEGINS = datetime(2026, 3, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TRIED = {
    "id": "tried",
    "name": "Tried",
    "trial_days": 14,
    "trial_quotas": [{"meters": ["input_tokens", "output_tokens"], "quantity": 1000}],
    "quotas": [{"meters": ["input_tokens"], "quantity": 600, "limit": "soft"}],
}


@pytest.fixture
async def holds(database: Database, tenant: Tenant) -> QuotaHolds:
    async with database.begin() as connection:
        plans = [{"id": "free", "name": "Free"}, TRIED]
        await apply_catalog(connection, catalog_with(plans=plans))
        await start_subscription(connection, tenant.id, "free", BEGINS - 5 * DAY)
        await change_plan(connection, tenant.id, SubscriptionChange(plan="tried"), BEGINS)
    return QuotaHolds(database, source=SOURCE)


async def count(database: Database, tenant: Tenant, tokens: int, at: datetime) -> None:
    event = AcceptedEvent(
        tenant_id=tenant.id,
        source=SOURCE,
        id=f"at {at}",
        time=at,
        received_at=at,
        application_id="app_1",
        model="small",
        quantities={"input_tokens": Decimal(tokens)},
    )
    async with database.raw() as connection:
        await count_events(connection, [event])


async def standing(database: Database, tenant: Tenant, at: datetime) -> Sequence[QuotaStanding]:
    async with database.begin() as connection:
        return (await entitlements(connection, tenant, at)).quotas


async def test_calls_on_trial_are_refused_at_its_quota_whatever_the_month(
    database: Database, tenant: Tenant, holds: QuotaHolds
) -> None:
    await count(database, tenant, 5000, BEGINS - DAY)  # on the free plan, before the trial
    await count(database, tenant, 700, BEGINS + DAY)
    await count(database, tenant, 200, BEGINS + 10 * DAY)  # in April
    own, of_trial = await standing(database, tenant, BEGINS + 10 * DAY)
    assert (own.of_trial, own.used, own.limit) == (False, 200, "soft")
    assert (of_trial.of_trial, of_trial.used, of_trial.remaining) == (True, 900, 100)
    assert (of_trial.limit, of_trial.resets_at) == ("hard", BEGINS + 14 * DAY)
    now = BEGINS + 10 * DAY + timedelta(hours=1)
    with pytest.raises(QuotaExhausted, match=r"the trial's quota of 1,000 .* and 100 are left"):
        await holds.reserve(tenant, "large", CallUnits(90, 20), now)
    await holds.reserve(tenant, "small", CallUnits(90, 10), now)
    with pytest.raises(QuotaExhausted, match=r"The trial's quota .* is used up. The trial ends at"):
        await holds.reserve(tenant, "next", CallUnits(1, 0), now)


async def test_a_change_of_seats_renews_no_quota_of_the_trial(
    database: Database, tenant: Tenant, holds: QuotaHolds
) -> None:
    await count(database, tenant, 700, BEGINS + DAY)
    async with database.begin() as connection:
        wanted = SubscriptionChange(plan="tried", seats=3)
        await change_plan(connection, tenant.id, wanted, BEGINS + 2 * DAY)
    of_trial = (await standing(database, tenant, BEGINS + 3 * DAY))[-1]
    assert (of_trial.of_trial, of_trial.remaining) == (True, 300)


async def test_it_ends_with_the_trial(
    database: Database, tenant: Tenant, holds: QuotaHolds
) -> None:
    await count(database, tenant, 1000, BEGINS + DAY)
    after = BEGINS + 14 * DAY
    assert [quota.of_trial for quota in await standing(database, tenant, after)] == [False]
    await holds.reserve(tenant, "call", CallUnits(5000, 0), after)


def test_a_plan_without_a_trial_has_no_quotas_of_one() -> None:
    with pytest.raises(ValidationError, match="this plan has no trial: give trial_days too"):
        PlanDefinition.model_validate(TRIED | {"trial_days": 0})
