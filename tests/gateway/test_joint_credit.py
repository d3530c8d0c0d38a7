"""The statement that holds and settles calls moves credit exactly as the wallet's own rules do."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from backend.catalog.published import apply_catalog
from backend.gateway.holds.groups import HoldGroups
from backend.pricing.credit.wallet import InsufficientCredit
from backend.storage.database import Database
from backend.storage.tables import credit_grants, credit_reservations, ledger_entries
from backend.subscriptions.changes import start_subscription
from backend.wallets.holds import release, reserve, settle
from backend.wallets.queries import set_wallet
from backend_client.types.accounts import Tenant
from backend_client.types.wallets import CreditKind, WalletSettings
from tests.support.billing import NOW, catalog_with, make_tenant
from tests.wallets.test_wallets import check_the_ledger, give

pytestmark = pytest.mark.engine

MODELS = ("large", "small")
SECOND = timedelta(seconds=1)
CALLS = 40


@dataclass(frozen=True)
class Step:
    """What happens to one call, and when."""

    act: str
    name: str
    amount: Decimal
    model: str
    at: datetime


def story(chance: random.Random) -> list[Step]:
    """Calls that begin, end and are given up in any order; some cost more than was held."""
    steps: list[Step] = []
    open_calls: list[tuple[str, Decimal, str]] = []
    at = NOW
    for number in range(CALLS):
        # Not always forward: the clocks of two replicas differ
        at += SECOND * chance.choice((-1, 0, 1, 1, 2, 3))
        name, model = f"req_{number}", chance.choice(MODELS)
        amount = Decimal(chance.choice(("0", "0.0000125", "1.5", "3.25", "7", "40")))
        steps.append(Step("hold", name, amount, model, at))
        open_calls.append((name, amount, model))
        while open_calls and chance.random() < 0.5:
            name, amount, model = open_calls.pop(chance.randrange(len(open_calls)))
            share = chance.choice(("0", "0.1", "0.3333333333", "0.5", "1", "1", "1.25"))
            act = "release" if chance.random() < 0.1 else "settle"
            steps.append(Step(act, name, amount * Decimal(share), model, at))
    return steps


async def furnish(database: Database, tenant: Tenant, chance: random.Random) -> None:
    """Give a wallet grants of every kind, some of which expire or begin meanwhile."""
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "free", NOW - timedelta(days=1))
    for _ in range(chance.randint(1, 7)):
        amount = chance.choice(("0.001", "2", "5.5", "20", "60"))
        more: dict[str, Any] = {
            "kind": chance.choice(list(CreditKind)),
            "priority": chance.choice((1, 100)),
            "models": chance.choice((None, None, ["large"], ["large", "small"])),
            "expires_at": chance.choice((None, None, NOW + 30 * SECOND, NOW + 90 * SECOND)),
        }
        await give(database, tenant, amount, NOW - timedelta(hours=1), **more)
    if chance.random() < 0.3:
        async with database.begin() as connection:
            low = WalletSettings(low_balance=Decimal(10))
            await set_wallet(connection, tenant.id, low)


async def by_rules(database: Database, tenant: Tenant, step: Step) -> str:
    """Take a step as the wallet's own functions do."""
    try:
        async with database.begin() as connection:
            if step.act == "hold":
                await reserve(connection, tenant.id, step.name, step.model, step.amount, step.at)
            elif step.act == "settle":
                await settle(connection, tenant.id, step.name, step.amount, step.at)
            else:
                await release(connection, tenant.id, step.name, step.at)
    except (InsufficientCredit, KeyError):
        return "refused"
    return "done"


async def at_once(groups: HoldGroups, database: Database, tenant: Tenant, step: Step) -> str:
    """Take a step by the statement; by the wallet's functions if it leaves it to them."""
    ask: dict[str, Any] = {"id": step.name, "limits": [], "tokens": 0}
    if step.act == "hold":
        ask |= {"at": step.at.isoformat(), "credit": [step.model, str(step.amount)]}
        outcome = await groups.hold(tenant.id, ask)
    elif step.act == "settle":
        ask |= {"now": step.at.isoformat(), "credit": str(step.amount)}
        outcome = await groups.settle(tenant.id, ask)
    else:
        outcome = {"later": "credit"}
    return await by_rules(database, tenant, step) if "later" in outcome else "at once"


async def books(database: Database, tenant: Tenant) -> list[list[dict[str, Any]]]:
    """All that is stored of a wallet, without what tells one tenant's from the other's."""
    pages = []
    async with database.begin() as connection:
        ids = await connection.execute(
            select(credit_grants.c.id)
            .where(credit_grants.c.tenant_id == tenant.id)
            .order_by(credit_grants.c.id)
        )
        names = {grant: f"grant {place}" for place, grant in enumerate(ids.scalars())}
        for table, order in (
            (ledger_entries, ledger_entries.c.number),
            (credit_grants, credit_grants.c.id),
            (credit_reservations, credit_reservations.c.id),
        ):
            rows = await connection.execute(
                select(table).where(table.c.tenant_id == tenant.id).order_by(order)
            )
            pages.append([_plain(dict(row), names) for row in rows.mappings()])
    return pages


def _plain(row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    del row["tenant_id"]
    row.pop("created_at", None)
    for name in ("id", "grant_id"):
        row[name] = names.get(row.get(name, ""), row.get(name))
    if "held" in row:
        row["held"] = {names[grant]: Decimal(held) for grant, held in row["held"].items()}
    return row


@pytest.fixture(autouse=True)
async def applied(database: Database) -> None:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=[{"id": "free", "name": "Free"}]))


@pytest.mark.parametrize("seed", range(5))
async def test_a_statement_books_what_the_rules_book(database: Database, seed: int) -> None:
    tenants = [await make_tenant(database), await make_tenant(database)]
    for tenant in tenants:
        await furnish(database, tenant, random.Random(seed))
    groups = HoldGroups(database, lease=timedelta(minutes=1))
    outcomes = []
    for step in story(random.Random(seed)):
        outcome = await at_once(groups, database, tenants[0], step)
        outcomes.append(outcome)
        assert (outcome == "refused") == (await by_rules(database, tenants[1], step) == "refused")
    mine, theirs = [await books(database, tenant) for tenant in tenants]
    assert mine == theirs
    await check_the_ledger(database, tenants[0])
    # It is the statement that is tested, not only the functions against themselves
    assert outcomes.count("at once") > CALLS / 4
