"""Keys' budgets that are used, or nearly: told once a threshold and period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace
from sqlalchemy import select, update

from backend.accounts.applications import create_application
from backend.accounts.keys.keys import create_key
from backend.accounts.principal import ROLE_PERMISSIONS, Principal
from backend.budgets.notices import NamedBudget, notify_of_budgets
from backend.budgets.owners import BudgetOwner, OwnBudget
from backend.budgets.worker import BudgetsWorker
from backend.outbox.events import event_from
from backend.storage.database import Database
from backend.storage.tables import api_keys, notifications
from backend_client.types.accounts import ApiKeyCreate, ApplicationCreate, Role
from backend_client.types.catalog import Catalog
from backend_client.types.limits import KeyBudget
from backend_client.types.notifications import (
    KeyBudgetReachedEvent,
    NotificationEvent,
)
from tests.support.invoices import MARCH, count, subscribed, used
from tests.support.statements import statements_of

pytestmark = pytest.mark.engine

AT = MARCH + timedelta(days=3)
LAST_SECOND = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
MIDNIGHT = LAST_SECOND + timedelta(seconds=1)


async def told(database: Database) -> list[NotificationEvent]:
    query = select(notifications).order_by(notifications.c.id)
    async with database.begin() as connection:
        return [event_from(row) for row in (await connection.execute(query)).mappings()]


async def test_a_keys_budget_is_told_of(database: Database, applied: Catalog) -> None:
    tenant = await subscribed(database, "paid")
    owner = Principal("operator", "key_1", tenant.id, ROLE_PERMISSIONS[Role.OWNER], Role.OWNER)
    async with database.begin() as connection:
        application = await create_application(
            connection, tenant.id, ApplicationCreate(name="Ours")
        )
        budget = KeyBudget(amount=Decimal(1), period="month")
        wanted = ApiKeyCreate(name="Batch", application_id=application.id, budget=budget)
        key = await create_key(connection, owner, wanted)
    # At 0.15 a token's price of the plan "paid", times a million
    event = replace(used(tenant, AT, 100_000_000), key_id=key.id)
    await count(database, [event])
    await BudgetsWorker(database).look(AT)
    await BudgetsWorker(database).look(AT)
    [event] = [each for each in await told(database) if isinstance(each, KeyBudgetReachedEvent)]
    assert (event.data.key_id, event.data.name, event.data.percent) == (key.id, "Batch", 100)
    assert event.data.budget.amount == 1
    assert event.data.used.amount >= 1


async def test_a_tenant_that_is_deleted_meanwhile_holds_up_no_other(
    database: Database, applied: Catalog
) -> None:
    tenant = await subscribed(database, "paid")
    own = OwnBudget(BudgetOwner("key", "key_1"), KeyBudget(amount=Decimal(1), period="month"))
    budgets = [NamedBudget(own, "Batch", AT)]
    async with database.begin() as connection:
        await notify_of_budgets(connection, "ten_deleted", budgets, AT)
        await notify_of_budgets(connection, tenant.id, budgets, AT)
    assert await told(database) == []


async def test_many_keys_take_as_many_statements_as_one(
    database: Database, applied: Catalog
) -> None:
    tenant = await subscribed(database, "paid")
    owner = Principal("operator", "key_1", tenant.id, ROLE_PERMISSIONS[Role.OWNER], Role.OWNER)
    async with database.begin() as connection:
        application = await create_application(
            connection, tenant.id, ApplicationCreate(name="Ours")
        )

    async def look(*numbers: int) -> int:
        counted = []
        async with database.begin() as connection:
            for number in numbers:
                budget = KeyBudget(amount=Decimal(1), period="month" if number % 2 else "day")
                name = f"Key {number}"
                wanted = ApiKeyCreate(name=name, application_id=application.id, budget=budget)
                key = await create_key(connection, owner, wanted)
                event = used(tenant, AT, 100_000_000 if number % 3 else 1)
                counted.append(replace(event, key_id=key.id))
        await count(database, counted)
        with statements_of(database) as sent:
            await BudgetsWorker(database).look(AT)
        return len(sent)

    few = await look(1, 2)
    assert await look(*range(3, 50)) == few
    events = [each for each in await told(database) if isinstance(each, KeyBudgetReachedEvent)]
    names = {event.data.name for event in events}
    assert names == {f"Key {number}" for number in range(1, 50) if number % 3}


@pytest.mark.parametrize("made_at", [AT, MIDNIGHT])
async def test_a_keys_day_that_ended_is_told_of_if_the_key_was_there(
    database: Database, applied: Catalog, made_at: datetime
) -> None:
    tenant = await subscribed(database, "paid")
    owner = Principal("operator", "key_1", tenant.id, ROLE_PERMISSIONS[Role.OWNER], Role.OWNER)
    async with database.begin() as connection:
        application = await create_application(
            connection, tenant.id, ApplicationCreate(name="Ours")
        )
        budget = KeyBudget(amount=Decimal(1), period="day")
        wanted = ApiKeyCreate(name="Batch", application_id=application.id, budget=budget)
        key = await create_key(connection, owner, wanted)
        await connection.execute(update(api_keys).values(created_at=made_at))
    await count(database, [replace(used(tenant, LAST_SECOND, 100_000_000), key_id=key.id)])
    await BudgetsWorker(database).look(MIDNIGHT + timedelta(seconds=30))
    events = await told(database)
    ends = [each.data.resets_at for each in events if isinstance(each, KeyBudgetReachedEvent)]
    assert ends == ([MIDNIGHT] if made_at == AT else [])
