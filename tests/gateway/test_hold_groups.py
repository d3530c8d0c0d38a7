"""Holds that go together: in few statements, and a fault of one of them is not the others'."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import orjson
import pytest
from sqlalchemy import select, text

from backend.budgets.holds import BudgetHolds
from backend.budgets.owners import BudgetedCall, BudgetOwner, OwnBudget
from backend.gateway.holds.groups import LATER, Document, HoldGroups
from backend.quotas.holds import LAPSE
from backend.storage.database import Database
from backend.storage.tables import key_budget_holds, key_calls
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.catalog import Catalog
from backend_client.types.limits import KeyBudget
from tests.gateway.test_limits import so_many_wait
from tests.support.billing import NOW
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.engine

MINUTE = timedelta(minutes=1)


def ask(name: str, **limits: int) -> dict[str, Any]:
    """A call of a key that may make a hundred in a minute."""
    limit = {"key": "key_1", "tokens": 0, "requests_per_minute": 100, **limits}
    return {"id": name, "at": datetime.now(UTC).isoformat(), "limits": [limit]}


async def under_way(database: Database) -> set[str]:
    async with database.begin() as connection:
        return set(await connection.scalars(select(key_calls.c.call_id)))


async def test_calls_that_come_together_share_statements(
    database: Database, tenant: Tenant
) -> None:
    groups, statements = HoldGroups(database, lease=MINUTE), 0
    async with database.driver() as driver:  # which is kept for the next statement

        def count(_query: object) -> None:
            nonlocal statements
            statements += 1

        driver.add_query_logger(count)
    names = [f"req_{number}" for number in range(40)]
    outcomes = await asyncio.gather(
        *(groups.hold(tenant.id, ask(name, concurrent_requests=25)) for name in names)
    )
    driver.remove_query_logger(count)
    assert statements == 1
    assert ["windows" in outcome for outcome in outcomes] == [True] * 25 + [False] * 15
    assert outcomes[-1]["limited"]["concurrent"]
    assert await under_way(database) == set(names[:25])


async def test_settling_reads_the_calls_that_are_settled_and_no_others(
    database: Database, tenant: Tenant
) -> None:
    """Also where its plan was made when there were few."""
    insert = text(
        "INSERT INTO credit_reservations"
        " (tenant_id, id, model, state, held, made_at, lapses_at)"
        " SELECT :tenant, 'req_' || number, 'large', 'open', '{}', now(), now()"
        " FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS number"
    )
    reads = text(
        "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)"
        " FROM pg_stat_xact_user_tables WHERE relname = 'credit_reservations'"
    )
    settle = text("SELECT settle_calls(:tenant, CAST(:asks AS jsonb), true)")
    async with database.begin() as connection:
        await connection.execute(
            text("INSERT INTO wallets (tenant_id, grants_until) VALUES (:tenant, 'infinity')"),
            {"tenant": tenant.id},
        )
        needed = []
        for number, (first, last) in enumerate([(1, 20), *[(0, -1)] * 10, (21, 3000), (0, -1)]):
            await connection.execute(insert, {"tenant": tenant.id, "first": first, "last": last})
            ask = {"id": f"req_{number + 1}", "now": NOW.isoformat(), "limits": [], "credit": "0"}
            before = await connection.scalar(reads) or 0
            outcome = await connection.scalar(
                settle, {"tenant": tenant.id, "asks": orjson.dumps([ask]).decode()}
            )
            assert outcome == [{}]
            needed.append((await connection.scalar(reads) or 0) - before)
        settled = "SELECT count(*) FROM credit_reservations WHERE state = 'settled'"
        assert await connection.scalar(text(settled)) == len(needed)
    assert max(needed[-2:]) <= 5


async def test_what_is_held_is_flushed_to_disk_and_what_is_settled_need_not_be(
    database: Database, tenant: Tenant
) -> None:
    """A crash of PostgreSQL may lose a settlement, which leaves the hold, and never a hold."""
    statement = text(
        "SELECT settle_and_hold_calls(:tenant, '{key_1}', '{}', false, false,"
        " CAST(:settled AS jsonb), CAST(:begun AS jsonb), '1 s', '1 h', '1 min', '{}', '{}')"
    )
    ended = {"id": "req_1", "tokens": 0, "limits": [{"key": "key_1"}]}

    async def flushed(settled: list[Document], begun: list[Document]) -> str | None:
        asks = {"settled": orjson.dumps(settled).decode(), "begun": orjson.dumps(begun).decode()}
        async with database.begin() as connection:
            await connection.execute(text("SET LOCAL synchronous_commit TO on"))
            await connection.execute(statement, {"tenant": tenant.id, **asks})
            said: str | None = await connection.scalar(text("SHOW synchronous_commit"))
        return said

    assert await flushed([], [ask("req_1")]) == "on"
    assert await flushed([ended], []) == "off"
    assert await flushed([ended], [ask("req_2")]) == "on"
    assert await under_way(database) == {"req_2"}


async def test_what_ends_leaves_room_for_what_begins_with_it(
    database: Database, tenant: Tenant
) -> None:
    groups = HoldGroups(database, lease=MINUTE)
    assert "windows" in await groups.hold(tenant.id, ask("req_1", concurrent_requests=1))
    begun, ended = await asyncio.gather(
        groups.hold(tenant.id, ask("req_2", concurrent_requests=1)),
        groups.settle(tenant.id, {"id": "req_1", "tokens": 0, "limits": [{"key": "key_1"}]}),
    )
    assert ended == {}
    assert "windows" in begun
    assert await under_way(database) == {"req_2"}


async def test_a_call_at_fault_holds_nothing_up(database: Database, tenant: Tenant) -> None:
    groups = HoldGroups(database, lease=MINUTE)
    assert "windows" in await groups.hold(tenant.id, ask("req_1"))
    outcomes = await asyncio.gather(
        groups.hold(tenant.id, ask("req_1")), groups.hold(tenant.id, ask("req_2"))
    )
    # Nothing of either is stored, and each is to be tried by itself
    assert list(outcomes) == [LATER, LATER]
    assert await under_way(database) == {"req_1"}
    assert "windows" in await groups.hold(tenant.id, ask("req_2"))


async def test_without_a_database_every_call_is_told() -> None:
    away = Database(f"postgresql://nobody@127.0.0.1:{free_port()}/none", pool_size=1)
    groups = HoldGroups(away, lease=MINUTE)
    outcomes = await asyncio.gather(
        *(groups.hold("ten_1", ask(f"req_{number}")) for number in range(3)),
        return_exceptions=True,
    )
    assert all(isinstance(outcome, OSError) for outcome in outcomes)
    await away.close()


async def test_what_settles_together_waits_for_what_forgets_it(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    """To settle the last first, while they are forgotten from the first on, once was a deadlock."""
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "paid", NOW - timedelta(days=1))
    groups, budgets = HoldGroups(database, lease=MINUTE), BudgetHolds(database, source="test")
    budget = KeyBudget(amount=Decimal(1), period="day")
    own = (OwnBudget(BudgetOwner("key", "key_1"), budget),)
    later = BudgetedCall(tenant, own, "req_4", NOW + 2 * LAPSE)
    for number in range(1, 4):
        call = BudgetedCall(tenant, own, f"req_{number}", NOW)
        await budgets.reserve(call, "large", {"output_tokens": Decimal(1)})

    def settled(name: str) -> Document:
        return {"id": name, "tokens": 0, "limits": [], "budget": "0", "budgeted": ["key_1"]}

    async with database.begin() as second_is_late:
        of_second = select(key_budget_holds).where(key_budget_holds.c.id == "req_2")
        await second_is_late.execute(of_second.with_for_update())
        forgetting = asyncio.create_task(budgets.refresh(later))
        await until(partial(so_many_wait, database, 1))
        settling = asyncio.gather(
            *(groups.settle(tenant.id, settled(name)) for name in ("req_3", "req_1"))
        )
        await until(partial(so_many_wait, database, 2))
    await forgetting
    assert await settling == [{}, {}]
