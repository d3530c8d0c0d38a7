"""What is spent of many budgets, read at once for those who tell of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

import pytest
from sqlalchemy import select

from backend.accounts.applications import change_application, create_application
from backend.accounts.principal import COMMAND_LINE
from backend.budgets.labels import create_label_budget
from backend.budgets.notices import budgets_by_tenant
from backend.budgets.spent import spent_budgets
from backend.budgets.use import value_of_period
from backend.budgets.worker import BudgetsWorker
from backend.metering.counting.batches import count_events
from backend.metering.counting.labels import declare_label
from backend.metering.events import AcceptedEvent
from backend.pricing.credit.call_cost import CallValues
from backend.storage.database import Database
from backend.storage.tables import notifications
from backend.subscriptions.changes import start_subscription
from backend.subscriptions.queries import plan_in_force
from backend_client.types.accounts import ApplicationChange, ApplicationCreate, Tenant
from backend_client.types.catalog import Catalog
from backend_client.types.limits import KeyBudget, LabelBudgetCreate
from tests.support.billing import NOW
from tests.support.statements import statements_of

pytestmark = pytest.mark.engine


async def test_many_budgets_take_as_many_statements_as_a_few(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    caller = replace(COMMAND_LINE, tenant_id=tenant.id)
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "paid", datetime(2026, 2, 1, tzinfo=UTC))
        await declare_label(connection, tenant.id, "team")
        await declare_label(connection, tenant.id, "user")

    async def look(*numbers: int) -> int:
        async with database.begin() as connection:
            for number in numbers:
                period: Literal["day", "month"] = "day" if number % 2 else "month"
                own = KeyBudget(amount=Decimal(1), period=period)
                wanted = LabelBudgetCreate(label="team", value=f"t{number}", budget=own)
                await create_label_budget(connection, caller, wanted, closed=())
                wanted = LabelBudgetCreate(label="user", value=f"t{number}", budget=own)
                await create_label_budget(connection, caller, wanted, closed=())
                name = ApplicationCreate(name=f"a{number}")
                application = await create_application(connection, tenant.id, name)
                change = ApplicationChange(budget=own)
                await change_application(connection, caller, application.id, change, NOW)
                applications[number] = application.id
        events = [
            AcceptedEvent(
                tenant_id=tenant.id,
                sender="gateway",
                source="test",
                id=f"c{number}",
                time=NOW,
                received_at=NOW,
                application_id=applications[number],
                key_id="key_1",
                model="large",
                quantities={"output_tokens": Decimal(80_000 + number)},
                labels={"team": f"t{number}", "user": "t1"},
            )
            for number in numbers
        ]
        async with database.raw() as connection:
            await count_events(connection, events)
        with statements_of(database) as sent:
            await BudgetsWorker(database).look(NOW)
        return len(sent)

    applications: dict[int, str] = {}
    few = await look(1, 2)
    assert await look(*range(3, 18)) == few
    async with database.begin() as connection:
        data = (await connection.execute(select(notifications.c.data))).scalars().all()
        named = await budgets_by_tenant(connection, tenant.id)
        values = CallValues((await plan_in_force(connection, tenant, NOW)).plan)
        own = [(each.own, NOW) for each in named[tenant.id]]
        spent = await spent_budgets(connection, tenant, own, NOW)
        alone = [
            await value_of_period(connection, tenant, each.own.owner, each.period, values)
            for each in spent
        ]
    assert len(spent) == 3 * 17
    assert [each.spent for each in spent] == alone
    spent_by = {each.own.owner.label or each.own.owner.id: each.spent for each in spent}
    assert spent_by["team", "t5"] == spent_by[applications[5]] == Decimal("0.80005")
    assert spent_by["user", "t5"] == 0
    assert spent_by["user", "t1"] == sum(spent_by[each] for each in applications.values())
    notices = {(each["name"], each["percent"]) for each in data}
    assert {(f"team=t{number}", 80) for number in applications} < notices
    assert ("user=t1", 100) in notices
    assert "user=t5" not in {name for name, _ in notices}
