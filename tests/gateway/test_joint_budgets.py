"""The statement that holds and settles calls holds of budgets exactly what their own rules hold."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from sqlalchemy import select

from backend.budgets.holds import BudgetHolds
from backend.budgets.owners import BudgetedCall, BudgetOwner, OwnBudget, budget_period
from backend.budgets.use import budget_use
from backend.errors import BudgetExhausted
from backend.gateway.holds.groups import HoldGroups
from backend.metering.counting.batches import count_events
from backend.metering.counting.labels import declare_label
from backend.metering.events import AcceptedEvent
from backend.storage.database import Database
from backend.storage.tables import key_budget_holds
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.catalog import Catalog
from backend_client.types.limits import KeyBudget
from tests.support.billing import NOW, make_tenant

pytestmark = pytest.mark.engine

SOURCE = "test"
CALLS = 40
SECOND = timedelta(seconds=1)
KEYS = {"key_1": "app_1", "key_2": "app_1", "key_3": "app_2"}
TEAMS = ("search", "chat", "")
TOKENS = (0, 1_000, 4_321, 10_000, 25_000)
"""Of output, whose dearest price is 10 a million."""


@dataclass(frozen=True)
class Step:
    """What happens to one call, and when."""

    act: str
    name: str
    key: str
    team: str
    tokens: int
    at: datetime


def owners(chance: random.Random) -> list[OwnBudget]:
    """Budgets of every kind; which are hard is by chance."""
    return [
        OwnBudget(
            owner,
            KeyBudget(
                amount=Decimal(amount),
                period=chance.choice(("day", "month")),
                limit=chance.choice(("hard", "hard", "soft")),
            ),
        )
        for owner, amount in (
            (BudgetOwner("key", "key_1"), "0.4"),
            (BudgetOwner("key", "key_3"), "0.5"),
            (BudgetOwner("application", "app_1"), "0.7"),
            (BudgetOwner("label", "lbd_1", ("team", "search")), "0.3"),
            (BudgetOwner("label", "lbd_2", ("team", "chat")), "0.25"),
        )
    ]


def story(chance: random.Random) -> Iterator[Step]:
    """Calls that begin, are settled at most at what they held, and are counted, in any order."""
    at, open_calls, ended = NOW, list[Step](), list[Step]()
    for number in range(CALLS):
        at += SECOND * chance.choice((-1, 0, 0, 1, 2))
        key, team = chance.choice(sorted(KEYS)), chance.choice(TEAMS)
        step = Step("hold", f"req_{number}", key, team, chance.choice(TOKENS), at)
        yield step
        open_calls.append(step)
        while open_calls and chance.random() < 0.5:
            held = open_calls.pop(chance.randrange(len(open_calls)))
            used = held.tokens * chance.randint(0, 4) // 4
            ended.append(Step("settle", held.name, held.key, held.team, used, held.at))
            yield ended[-1]
        while ended and chance.random() < 0.3:
            gone = ended.pop(chance.randrange(len(ended)))
            yield Step("count", gone.name, gone.key, gone.team, gone.tokens, gone.at)


def budgeted(tenant: Tenant, step: Step, all_of: list[OwnBudget]) -> BudgetedCall:
    """A call with the budgets that pay it."""
    labels = {"team": step.team} if step.team else {}
    mine = (step.key, KEYS[step.key])
    own = [
        each
        for each in all_of
        if (each.owner.label or each.owner.id in mine) and each.owner.owns(labels)
    ]
    return BudgetedCall(tenant, tuple(own), step.name, step.at)


async def count(database: Database, tenant: Tenant, step: Step) -> None:
    event = AcceptedEvent(
        tenant_id=tenant.id,
        sender="gateway",
        source=SOURCE,
        id=step.name,
        time=step.at,
        received_at=step.at,
        application_id=KEYS[step.key],
        key_id=step.key,
        model="large",
        quantities={"output_tokens": Decimal(step.tokens)},
        labels={"team": step.team} if step.team else {},
    )
    async with database.raw() as connection:
        await count_events(connection, [event])


async def by_rules(budgets: BudgetHolds, call: BudgetedCall, step: Step) -> str:
    """Take a step as the budgets' own functions do."""
    units = {"output_tokens": Decimal(step.tokens)}
    try:
        if step.act == "hold":
            await budgets.reserve(call, "large", units)
        else:
            await budgets.settle(call, "large", units)
    except BudgetExhausted:
        return "refused"
    return "done"


async def at_once(groups: HoldGroups, budgets: BudgetHolds, call: BudgetedCall, step: Step) -> str:
    """Take a step by the statement; by the budgets' functions if it leaves it to them."""
    units, ids = {"output_tokens": Decimal(step.tokens)}, [own.owner.id for own in call.in_order]
    ask: dict[str, Any] = {"id": step.name, "limits": [], "tokens": 0}
    if step.act == "settle":
        cost = await budgets.cost(call, "large", units, {})
        await groups.settle(call.tenant.id, ask | {"budget": str(cost), "budgeted": ids})
        return "at once"
    cost = await budgets.greatest_cost(call, "large", units, ({},))
    periods = [budget_period(own.budget, call.tenant, step.at) for own in call.in_order]
    ask |= {
        "at": step.at.isoformat(),
        "budget": [
            {
                "key": own.owner.id,
                "cost": str(cost),
                "amount": str(own.budget.amount),
                "hard": own.budget.limit == "hard",
                "start": period.start.isoformat(),
                "end": period.end.isoformat(),
            }
            for own, period in zip(call.in_order, periods, strict=True)
        ],
    }
    outcome = await groups.hold(call.tenant.id, ask)
    if "stale" in outcome:
        await budgets.refresh(call)
        outcome = await groups.hold(call.tenant.id, ask)
    return await by_rules(budgets, call, step) if "later" in outcome else "at once"


async def books(
    database: Database, tenant: Tenant, all_of: list[OwnBudget], counted: set[str], at: datetime
) -> tuple[Any, ...]:
    """What is used and held of the tenant's budgets, and by which calls that are not counted yet.

    Holds of counted calls are forgotten when what is used is read anew, sooner or later.
    """
    holds = key_budget_holds.c
    async with database.begin() as connection:
        held = await connection.execute(
            select(holds.id, holds.key_id, holds.amount, holds.made_at, holds.lapses_at).where(
                holds.tenant_id == tenant.id, holds.id.not_in(counted)
            )
        )
        uses = [await budget_use(connection, tenant, own, at, source=SOURCE) for own in all_of]
        return set(map(tuple, held)), uses


async def check_that_none_is_passed(
    database: Database, tenant: Tenant, all_of: list[OwnBudget], at: datetime
) -> None:
    """What hard budgets are for: at no moment more is used and held than there is."""
    async with database.begin() as connection:
        for own in all_of:
            if own.budget.limit == "hard":
                use = await budget_use(connection, tenant, own, at, source=SOURCE)
                assert use.used + use.held <= own.budget.amount


async def test_what_is_used_is_locked_before_it_was_ever_read(database: Database) -> None:
    """Or two replicas hold the first of a budget at once, while its row is being made."""
    tenant = await make_tenant(database)
    lock = "SELECT lock_holds($1, '{}', $2, $3, false)"
    async with database.raw() as first, database.raw() as second:
        await second.execute("SET lock_timeout = '100ms'")
        for budgeted, of_quota in ((["lbd_1"], False), (["app_1", "lbd_1"], False), ([], True)):
            async with first.transaction():
                await first.execute(lock, tenant.id, budgeted, of_quota)
                with pytest.raises(asyncpg.LockNotAvailableError):
                    await second.execute(lock, tenant.id, budgeted, of_quota)
            await second.execute(lock, tenant.id, budgeted, of_quota)


@pytest.mark.parametrize("seed", range(2))
async def test_a_statement_holds_of_budgets_what_the_rules_hold(
    database: Database, applied: Catalog, seed: int
) -> None:
    tenants = [await make_tenant(database), await make_tenant(database)]
    async with database.begin() as connection:
        for tenant in tenants:
            await declare_label(connection, tenant.id, "team")
            start = datetime(2026, 2, 1, tzinfo=UTC)
            await start_subscription(connection, tenant.id, "paid", start)
    groups, budgets = HoldGroups(database, lease=SECOND), BudgetHolds(database, source=SOURCE)
    all_of, outcomes = owners(random.Random(seed)), list[str]()
    refused, counted = set[str](), set[str]()
    for step in story(random.Random(seed)):
        if step.name in refused:
            continue
        mine, theirs = [budgeted(tenant, step, all_of) for tenant in tenants]
        if step.act == "count":
            counted.add(step.name)
            for tenant in tenants:
                await count(database, tenant, step)
        elif mine.budgets:
            outcome = await at_once(groups, budgets, mine, step)
            outcomes.append(outcome)
            assert (outcome == "refused") == (await by_rules(budgets, theirs, step) == "refused")
            if outcome == "refused":
                refused.add(step.name)
        if outcomes[-1:] == ["refused"] or step.act == "count":
            await check_that_none_is_passed(database, tenants[0], all_of, step.at)
    mine_then, theirs_then = [
        await books(database, tenant, all_of, counted, step.at) for tenant in tenants
    ]
    assert mine_then == theirs_then
    # It is the statement that is tested, not only the functions against themselves
    assert outcomes.count("at once") > CALLS / 3
    assert refused
