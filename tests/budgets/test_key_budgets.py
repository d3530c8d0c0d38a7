"""A key's budget: calls under way hold what they can cost of it, so that none of them passes it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update

from backend.accounts.applications import change_application, create_application
from backend.accounts.principal import COMMAND_LINE
from backend.budgets.ended import forget_ended_budgets
from backend.budgets.errors import KeyBudgetExhausted
from backend.budgets.holds import BudgetHolds
from backend.budgets.labels import create_label_budget, delete_label_budget
from backend.budgets.owners import BudgetedCall, BudgetOwner, OwnBudget, budget_period
from backend.budgets.use import budget_use
from backend.budgets.worker import BudgetsWorker
from backend.metering.counting.batches import count_events
from backend.metering.counting.labels import declare_label
from backend.metering.events import AcceptedEvent
from backend.quotas.holds import LAPSE
from backend.storage.database import Database
from backend.storage.tables import (
    key_budget_holds,
    key_budget_states,
    label_budgets,
    notifications,
)
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import ApplicationChange, ApplicationCreate, Tenant
from backend_client.types.catalog import Catalog
from backend_client.types.limits import KeyBudget, KeyBudgetUse, LabelBudgetCreate
from tests.support.billing import NOW, make_tenant

SOURCE = "test"
TEN_CENTS = {"output_tokens": Decimal(10_000)}
"""On the catalog's paid plan, whose dearest price for output is 10 a million."""
A_DOLLAR = KeyBudget(amount=Decimal(1), period="day")
KEY = BudgetOwner("key", "key_1")


@pytest.fixture
async def budgets(database: Database, tenant: Tenant, applied: Catalog) -> BudgetHolds:
    async with database.begin() as connection:
        start = datetime(2026, 2, 1, tzinfo=UTC)
        await start_subscription(connection, tenant.id, "paid", start)
    return BudgetHolds(database, source=SOURCE)


def call(
    tenant: Tenant, name: str, at: datetime = NOW, budget: KeyBudget = A_DOLLAR, key: str = "key_1"
) -> BudgetedCall:
    return BudgetedCall(tenant, (OwnBudget(BudgetOwner("key", key), budget),), name, at)


async def attempt(budgets: BudgetHolds, wanted: BudgetedCall) -> bool:
    try:
        await budgets.reserve(wanted, "large", TEN_CENTS)
    except KeyBudgetExhausted:
        return False
    return True


async def count(
    database: Database, wanted: BudgetedCall, used: dict[str, Decimal], **changes: Any
) -> None:
    """Count a call's event, as the worker does."""
    event = {
        "tenant_id": wanted.tenant.id,
        "sender": "gateway",
        "source": SOURCE,
        "id": wanted.call_id,
        "time": wanted.made_at,
        "received_at": wanted.made_at,
        "application_id": "app_1",
        "key_id": wanted.budgets[0].owner.id,
        "model": "large",
        "quantities": used,
    }
    async with database.raw() as connection:
        await count_events(connection, [AcceptedEvent(**event | changes)])


async def use(
    database: Database,
    tenant: Tenant,
    at: datetime,
    budget: KeyBudget = A_DOLLAR,
    owner: BudgetOwner = KEY,
) -> KeyBudgetUse:
    async with database.begin() as connection:
        return await budget_use(connection, tenant, OwnBudget(owner, budget), at, source=SOURCE)


@pytest.mark.engine
async def test_of_many_at_once_on_two_replicas_only_as_many_pass_as_there_is_room_for(
    database: Database, database_url: str, tenant: Tenant, budgets: BudgetHolds
) -> None:
    other = Database(database_url, pool_size=5)
    replicas = [budgets, BudgetHolds(other, source=SOURCE)]
    passed = await asyncio.gather(
        *(attempt(replicas[number % 2], call(tenant, f"c{number}")) for number in range(25))
    )
    await other.close()
    assert sum(passed) == 10
    assert await attempt(budgets, call(tenant, "of another key", key="key_2"))
    standing = await use(database, tenant, NOW)
    assert (standing.used, standing.held, standing.remaining) == (0, 1, 0)


@pytest.mark.engine
async def test_cost_is_in_the_hold_or_in_the_usage_at_every_moment(
    database: Database, tenant: Tenant, budgets: BudgetHolds
) -> None:
    """Calls are settled at half of what they held and counted, while others are admitted."""
    used = {"output_tokens": Decimal(5_000)}
    passed = 0
    for number in range(40):
        wanted = call(tenant, f"c{number}", NOW + timedelta(milliseconds=200 * number))
        if await attempt(budgets, wanted):
            passed += 1
            await budgets.settle(wanted, "large", used)
            if number % 3:
                await count(database, wanted, used)
    # The last call that passed still had room for a tenth
    assert passed == 19
    at = NOW + timedelta(seconds=20)
    standing = await use(database, tenant, at)
    assert standing.used + standing.held == Decimal("0.95")
    with pytest.raises(KeyBudgetExhausted) as refusal:
        await budgets.reserve(call(tenant, "more", at), "large", TEN_CENTS)
    assert refusal.value.detail == (
        "This call can cost up to 0.1, and this key's budget of 1 USD a day has 0.05 left. Lower "
        "max_tokens or shorten the prompt; it begins anew at 2026-03-11 00:00 UTC."
    )


@pytest.mark.engine
async def test_a_day_begins_anew_a_raise_helps_and_a_soft_budget_refuses_nothing(
    database: Database, tenant: Tenant, budgets: BudgetHolds
) -> None:
    whole = call(tenant, "c1")
    await budgets.reserve(whole, "large", {"output_tokens": Decimal(100_000)})
    await budgets.settle(whole, "large", {"output_tokens": Decimal(100_000)})
    await count(database, whole, {"output_tokens": Decimal(100_000)})
    later = NOW + timedelta(seconds=2)
    with pytest.raises(KeyBudgetExhausted, match="1 USD a day is used up; it begins anew at 2026-"):
        await budgets.reserve(call(tenant, "c2", later), "large", TEN_CENTS)
    raised = KeyBudget(amount=Decimal("1.1"), period="day")
    assert await attempt(budgets, call(tenant, "c3", later, raised))
    assert not await attempt(budgets, call(tenant, "c4", later, raised))
    soft = KeyBudget(amount=Decimal(1), period="day", limit="soft")
    assert await attempt(budgets, call(tenant, "c5", later, soft))
    assert (await use(database, tenant, later, soft)).remaining == 0
    month = KeyBudget(amount=Decimal(1), period="month")
    tomorrow = NOW + timedelta(days=1)
    assert await attempt(budgets, call(tenant, "c6", tomorrow))
    assert not await attempt(budgets, call(tenant, "c7", tomorrow, month))


@pytest.mark.engine
async def test_a_call_that_was_not_made_or_never_ended_gives_its_hold_back(
    database: Database, tenant: Tenant, budgets: BudgetHolds
) -> None:
    whole = {"output_tokens": Decimal(100_000)}
    await budgets.reserve(call(tenant, "c1"), "large", whole)
    assert not await attempt(budgets, call(tenant, "c2"))
    await budgets.release(call(tenant, "c1"))
    await budgets.reserve(call(tenant, "lost"), "large", whole)
    later = NOW + LAPSE + timedelta(seconds=1)
    assert await attempt(budgets, call(tenant, "c3", later))
    async with database.begin() as connection:
        held = await connection.execute(select(key_budget_holds.c.id, func.now()))
        assert [row.id for row in held] == ["c3"]


@pytest.mark.engine
async def test_days_are_those_of_the_tenants_time_zone(database: Database) -> None:
    tenant = await make_tenant(database, time_zone="America/Denver")
    # The clocks go forward on 8 March 2026 at 2 o'clock
    for at, start, end in (
        ("2026-03-08T06:59:59", "2026-03-07T07:00:00", "2026-03-08T07:00:00"),
        ("2026-03-08T07:00:00", "2026-03-08T07:00:00", "2026-03-09T06:00:00"),
        ("2026-03-09T05:59:59", "2026-03-08T07:00:00", "2026-03-09T06:00:00"),
    ):
        period = budget_period(A_DOLLAR, tenant, datetime.fromisoformat(f"{at}+00:00"))
        assert f"{period.start:%Y-%m-%dT%H:%M:%S}" == start
        assert f"{period.end:%Y-%m-%dT%H:%M:%S}" == end
    month = KeyBudget(amount=Decimal(1), period="month")
    period = budget_period(month, tenant, datetime(2026, 4, 1, 5, 59, tzinfo=UTC))
    assert (period.start.day, period.start.hour, period.end.day) == (1, 7, 1)


@pytest.mark.engine
async def test_of_a_budget_that_is_reached_there_is_a_notice_once_a_threshold(
    database: Database, tenant: Tenant, budgets: BudgetHolds
) -> None:
    caller = replace(COMMAND_LINE, tenant_id=tenant.id)
    soft = KeyBudget(amount=Decimal(1), period="day", limit="soft")

    async def bound(budget: KeyBudget) -> None:
        async with database.begin() as connection:
            change = ApplicationChange(budget=budget)
            await change_application(connection, caller, application.id, change, NOW)

    async def use_up(name: str, tokens: int) -> None:
        used = {"output_tokens": Decimal(tokens)}
        labels = {"team": "search"}
        wanted = call(tenant, name)
        await count(database, wanted, used, application_id=application.id, labels=labels)

    async def noticed() -> list[tuple[str, str, int]]:
        await worker.look(NOW)
        async with database.begin() as connection:
            rows = await connection.execute(
                select(notifications.c.kind, notifications.c.data).order_by(notifications.c.id)
            )
        return [
            (row.data["name"], row.data["budget"]["amount"], row.data["percent"])
            for row in rows
            if row.kind == "budget.reached"
        ]

    async with database.begin() as connection:
        wanted = ApplicationCreate(name="Web")
        application = await create_application(connection, tenant.id, wanted)
        await declare_label(connection, tenant.id, "team")
        of_search = LabelBudgetCreate(label="team", value="search", budget=A_DOLLAR)
        await create_label_budget(connection, caller, of_search, closed=())
    await bound(soft)
    worker = BudgetsWorker(database)
    await use_up("c1", 79_999)
    assert await noticed() == []
    await use_up("c2", 1)
    both = {("Web", "1", 80), ("team=search", "1", 80)}
    assert set(await noticed()) == both
    assert len(await noticed()) == 2
    await use_up("c3", 20_000)
    both |= {("Web", "1", 100), ("team=search", "1", 100)}
    assert set(await noticed()) == both
    await bound(KeyBudget(amount=Decimal(2), period="day", limit="soft"))
    assert set(await noticed()) == both
    await use_up("c4", 60_000)
    # One that was raised is reached anew; another process says nothing twice
    worker = BudgetsWorker(database)
    assert set(await noticed()) == both | {("Web", "2", 80)}
    assert len(await noticed()) == 5
    assert await worker.look(NOW) == 0


@pytest.mark.engine
async def test_a_day_passed_in_its_last_minute_is_told_of_after_it(
    database: Database, tenant: Tenant, budgets: BudgetHolds
) -> None:
    """Usage is counted after it was made, and the worker looks once a minute."""
    caller = replace(COMMAND_LINE, tenant_id=tenant.id)
    midnight = budget_period(A_DOLLAR, tenant, NOW).end
    async with database.begin() as connection:
        await declare_label(connection, tenant.id, "team")
        day = KeyBudget(amount=Decimal(1), period="day")
        of_search = LabelBudgetCreate(label="team", value="search", budget=day)
        await create_label_budget(connection, caller, of_search, closed=())
        await connection.execute(update(label_budgets).values(created_at=NOW))
    worker = BudgetsWorker(database)
    await worker.look(midnight - timedelta(seconds=20))
    late = replace(call(tenant, "late"), made_at=midnight - timedelta(seconds=1))
    used = {"output_tokens": Decimal(100_000)}
    await count(database, late, used, labels={"team": "search"})
    for at in (40, 100, 3599):
        await worker.look(midnight + timedelta(seconds=at))
        await BudgetsWorker(database).look(midnight + timedelta(seconds=at))
    async with database.begin() as connection:
        rows = (await connection.execute(select(notifications.c.data))).scalars().all()
    assert [(row["percent"], row["resets_at"]) for row in rows] == [
        (100, midnight.isoformat().replace("+00:00", "Z"))
    ]


@pytest.mark.engine
async def test_of_a_deleted_budget_nothing_is_kept_though_its_calls_go_on(
    database: Database, tenant: Tenant, budgets: BudgetHolds
) -> None:
    caller = replace(COMMAND_LINE, tenant_id=tenant.id)
    of_search = LabelBudgetCreate(label="team", value="search", budget=A_DOLLAR)

    async def kept() -> tuple[set[str], set[str]]:
        async with database.begin() as connection:
            states = await connection.scalars(select(key_budget_states.c.key_id))
            holds = await connection.scalars(select(key_budget_holds.c.key_id))
            return set(states), set(holds)

    async with database.begin() as connection:
        await declare_label(connection, tenant.id, "team")
        label = await create_label_budget(connection, caller, of_search, closed=())
        application = await create_application(connection, tenant.id, ApplicationCreate(name="W"))
        change = ApplicationChange(budget=A_DOLLAR)
        await change_application(connection, caller, application.id, change, NOW)
    owners = [
        BudgetOwner("label", label.id, ("team", "search")),
        BudgetOwner("application", application.id),
        KEY,
    ]
    of_all = tuple(OwnBudget(owner, A_DOLLAR) for owner in owners)
    first = BudgetedCall(tenant, of_all, "first", NOW)
    await budgets.reserve(first, "large", TEN_CENTS)
    everybody = {owner.id for owner in owners}
    assert await kept() == (everybody, everybody)
    async with database.begin() as connection:
        await delete_label_budget(connection, caller, label.id)
    everybody.remove(label.id)
    assert await kept() == (everybody, everybody)
    # A process that knows of it for a second more, whose call then ends
    late = BudgetedCall(tenant, of_all, "late", NOW)
    await budgets.reserve(late, "large", TEN_CENTS)
    await budgets.settle(first, "large", TEN_CENTS)
    await forget_ended_budgets(database, NOW + LAPSE - timedelta(seconds=1))
    assert (await kept())[1] == everybody | {label.id}
    # The key of the test is in no table: its budget is as one that was removed
    assert await forget_ended_budgets(database, NOW + LAPSE + timedelta(seconds=1)) == 2
    assert await kept() == ({application.id}, set())
    assert await forget_ended_budgets(database, NOW + LAPSE + timedelta(seconds=1)) == 0
