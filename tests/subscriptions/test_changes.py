"""Plans change at quarter hours, without a gap or an overlap."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.catalog.published import apply_catalog
from backend.errors import Conflict, InvalidInput, NotFound
from backend.pricing.periods import billing_period
from backend.storage.database import Database
from backend.subscriptions.changes import change_plan, start_subscription
from backend.subscriptions.queries import current_subscription
from backend.subscriptions.stretches import plan_stretches
from backend_client.types.accounts import Tenant
from backend_client.types.catalog import Catalog
from backend_client.types.subscriptions import Subscription, SubscriptionChange
from tests.support.billing import NOW, catalog_with, make_tenant
from tests.support.examples import examples

pytestmark = pytest.mark.engine

NEXT = datetime(2026, 3, 10, 12, 15, tzinfo=UTC)
LATER = NEXT + timedelta(days=2)


async def start(database: Database, tenant: Tenant, plan: str | None = None) -> Subscription:
    async with database.begin() as connection:
        return await start_subscription(connection, tenant.id, plan, NOW)


async def change(
    database: Database,
    tenant: Tenant,
    plan: str,
    at: datetime | None = None,
    now: datetime = NOW,
) -> Subscription:
    async with database.begin() as connection:
        return await change_plan(connection, tenant.id, SubscriptionChange(plan=plan, at=at), now)


async def current(database: Database, tenant: Tenant, now: datetime = NOW) -> Subscription:
    async with database.begin() as connection:
        return await current_subscription(connection, tenant.id, now)


async def stretches(database: Database, tenant: Tenant) -> list[tuple[str | None, int, datetime]]:
    """Plan, version and end of each stretch of March."""
    async with database.begin() as connection:
        history = await plan_stretches(connection, tenant.id, billing_period(NOW, "UTC"))
    assert all(stretch.end == following.start for stretch, following in itertools.pairwise(history))
    return [
        (stretch.plan and stretch.plan.id, stretch.plan_version, stretch.end) for stretch in history
    ]


async def test_a_new_tenant_gets_the_default_plan_from_this_quarter_hour(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    subscription = await start(database, tenant)
    assert (subscription.plan.definition.id, subscription.start) == (
        "free",
        NEXT - timedelta(minutes=15),
    )
    assert await current(database, tenant) == subscription
    with pytest.raises(Conflict):
        await start(database, tenant, "paid")


async def test_no_subscription_is_not_found(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    with pytest.raises(NotFound):
        await current(database, tenant)
    with pytest.raises(NotFound):
        await start(database, tenant.model_copy(update={"id": "ten_nobody"}))
    with pytest.raises(NotFound):
        await start(database, tenant, "gold")


async def test_a_change_takes_effect_at_the_next_quarter_hour(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    await start(database, tenant)
    changed = await change(database, tenant, "paid")
    assert (changed.plan.definition.id, changed.start, changed.end) == ("paid", NEXT, None)
    before = await current(database, tenant)
    assert (before.plan.definition.id, before.end) == ("free", NEXT)
    assert before.next_plan == changed.plan
    assert await current(database, tenant, NEXT) == changed
    march = billing_period(NOW, "UTC")
    assert await stretches(database, tenant) == [
        (None, 0, NEXT - timedelta(minutes=15)),
        ("free", 1, NEXT),
        ("paid", 1, march.end),
    ]


async def test_a_scheduled_change_can_be_replaced_or_dropped(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    first = await start(database, tenant)
    await change(database, tenant, "paid", LATER)
    assert (await current(database, tenant)).end == LATER
    kept = await change(database, tenant, "free")
    assert (kept.id, kept.end) == (first.id, None)
    assert await current(database, tenant) == first
    await change(database, tenant, "paid", LATER)
    await change(database, tenant, "paid")
    assert [plan for plan, _, _ in await stretches(database, tenant)] == [None, "free", "paid"]
    assert (await current(database, tenant)).end == NEXT


async def test_a_change_after_a_scheduled_one_keeps_both(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    await start(database, tenant)
    await change(database, tenant, "paid", NEXT)
    await change(database, tenant, "free", LATER)
    ends = [(plan, end) for plan, _, end in await stretches(database, tenant)]
    assert ends[1:3] == [("free", NEXT), ("paid", LATER)]


async def test_a_new_version_is_taken_up_when_the_plan_is_chosen_again(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    await start(database, tenant, "paid")
    plans = [plan.model_dump() for plan in applied.plans]
    plans[1]["charges"][0]["price"] = "62"
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=plans))
    assert (await current(database, tenant)).plan.version == 1
    assert (await change(database, tenant, "paid")).plan.version == 2


async def test_the_past_and_odd_times_are_refused(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    await start(database, tenant)
    for at in (NEXT - timedelta(minutes=30), NEXT + timedelta(seconds=1)):
        with pytest.raises(InvalidInput) as caught:
            await change(database, tenant, "paid", at)
        assert caught.value.errors[0].field == "at"


async def test_from_a_free_plan_a_change_can_begin_with_this_quarter_hour(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    """Who has used up a free quota can go on at once; a price is never taken back."""
    await start(database, tenant)
    this = NEXT - timedelta(minutes=15)
    changed = await change(database, tenant, "paid", this)
    assert await current(database, tenant) == changed
    with pytest.raises(InvalidInput):
        await change(database, tenant, "free", this)


async def test_a_plan_in_another_currency_is_refused(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    await start(database, tenant)
    with pytest.raises(Conflict, match="EUR"):
        await change(database, tenant, "euro")
    euro = await make_tenant(database, currency="EUR")
    assert (await start(database, euro, "euro")).plan.definition.id == "euro"


async def test_changes_at_once_leave_one_plan(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    await start(database, tenant)
    await asyncio.gather(
        *(change(database, tenant, plan) for plan in ("paid", "free", "paid", "paid"))
    )
    assert len(await stretches(database, tenant)) in (2, 3)


steps = st.lists(
    st.tuples(st.sampled_from(["free", "paid"]), st.integers(0, 5), st.none() | st.integers(0, 9)),
    max_size=8,
)


@given(steps)
@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_whatever_is_changed_the_history_has_no_gap_and_what_is_past_stays(
    database: Database, applied: Catalog, steps: list[tuple[str, int, int | None]]
) -> None:
    tenant = await make_tenant(database)
    await start(database, tenant)
    now = NOW
    for plan, waited, ahead in steps:
        now += timedelta(minutes=7) * waited
        before = await _history(database, tenant, now)
        quarter = NEXT + timedelta(minutes=15) * (waited + (ahead or 0))
        at = quarter if ahead is not None and quarter >= now else None
        subscription = await change(database, tenant, plan, at, now)
        assert (subscription.plan.definition.id, subscription.end) == (plan, None)
        assert await _history(database, tenant, now) == before
    history = await stretches(database, tenant)
    assert history[0][0] is None
    assert all(plan is not None for plan, _, _ in history[1:])


async def _history(database: Database, tenant: Tenant, until: datetime) -> list[object]:
    """Which plan each quarter hour before ``until`` was on."""
    async with database.begin() as connection:
        history = await plan_stretches(connection, tenant.id, billing_period(NOW, "UTC"))
    return [
        (stretch.plan and stretch.plan.id, stretch.start, min(stretch.end, until))
        for stretch in history
        if stretch.start < until
    ]
