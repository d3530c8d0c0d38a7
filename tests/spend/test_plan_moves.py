"""New versions of a plan: what changed, and moving tenants with every bill seen before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from backend.accounts.principal import COMMAND_LINE
from backend.catalog.published import apply_catalog
from backend.errors import InvalidInput, NotFound
from backend.spend.plan_moves import diff_versions, migrate_plan
from backend.storage.database import Database
from backend.storage.tables import audit_entries
from backend.subscriptions.changes import change_plan, start_subscription
from backend.subscriptions.queries import current_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.common import Page
from backend_client.types.plan_versions import MigratedTenant, MigrationRequest
from backend_client.types.subscriptions import Subscription, SubscriptionChange
from tests.support.billing import NOW, add_usage, catalog_with, make_tenant

pytestmark = pytest.mark.engine

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


def team(price: str, **more: object) -> dict[str, object]:
    tokens = {"id": "tokens", "name": "Tokens", "kind": "per_unit", "meters": ["input_tokens"]}
    seats = {"id": "seats", "name": "Seats", "kind": "flat", "per": "seat", "price": "5"}
    help_ = {"id": "help", "name": "Help", "kind": "flat", "per": "add_on", "price": "7"}
    charges = [seats, tokens | {"price": price}, help_]
    return {"id": "team", "name": "Team", "charges": charges, "trial_days": 20} | more


async def publish(database: Database, *plans: dict[str, object]) -> None:
    free = {"id": "free", "name": "Free"}
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=[free, *plans]))


async def migrate(database: Database, *, limit: int = 50, **wanted: object) -> Page[MigratedTenant]:
    request = MigrationRequest.model_validate(wanted)
    return await migrate_plan(
        database, "team", request, NOW, caller=COMMAND_LINE, cursor=None, limit=limit
    )


async def current(database: Database, tenant: Tenant, at: datetime) -> Subscription:
    async with database.begin() as connection:
        return await current_subscription(connection, tenant.id, at)


async def test_a_diff_names_what_changed_by_id(database: Database) -> None:
    await publish(database, team("1"))
    changed = team("1.5", description="Now dearer")
    await publish(database, changed | {"charges": changed["charges"][1:]})
    async with database.begin() as connection:
        diff = await diff_versions(connection, "team", 1, 2)
        with pytest.raises(NotFound):
            await diff_versions(connection, "team", 1, 3)
    by_path = {change.path: (change.before, change.after) for change in diff.changes}
    assert by_path["charges.tokens.price"] == ("1", "1.5")
    assert by_path["description"] == ("", "Now dearer")
    assert by_path["charges.seats"][0]["price"] == "5"
    assert by_path["charges.seats"][1] is None
    assert len(by_path) == 3


async def test_tenants_are_moved_with_their_terms_after_a_preview(database: Database) -> None:
    await publish(database, team("1"))
    steady, trying, leaving = [await make_tenant(database) for _ in range(3)]
    async with database.begin() as connection:
        for tenant, begins in ((steady, MARCH - timedelta(days=30)), (trying, MARCH)):
            await start_subscription(connection, tenant.id, "team", begins)
        await start_subscription(connection, leaving.id, "team", MARCH)
        change = SubscriptionChange(plan="team", seats=4, add_ons={"help": 1})
        await change_plan(connection, steady.id, change, MARCH)
        change = SubscriptionChange(plan="free", at=MARCH + timedelta(days=15))
        await change_plan(connection, leaving.id, change, MARCH)
    await add_usage(database, steady, ("2026-03-05T00:00Z", "large", "input_tokens", "10000000"))
    await publish(database, team("3"))

    previewed = await migrate(database)
    (seen,) = [move for move in previewed.items if move.tenant == steady.id]
    assert (seen.from_version, str(seen.present.amount)) == (1, "37.00")  # 20 + 10 + 7
    assert seen.migrated is not None
    assert str(seen.migrated.amount) == "57.00"
    assert (await current(database, steady, NOW)).end is None  # nothing was changed

    first = await migrate(database, preview=False, limit=2)
    rest = await migrate(database, preview=False)
    everybody = sorted([steady.id, trying.id, leaving.id])
    assert sorted(move.tenant for move in [*first.items, *rest.items]) == everybody
    async with database.begin() as connection:
        rows = await connection.execute(select(audit_entries.c.tenant_id, audit_entries.c.action))
        recorded = sorted((row.tenant_id, row.action) for row in rows)
    assert recorded == [(tenant_id, "subscription.migrate") for tenant_id in everybody]
    after = NOW + timedelta(minutes=15)
    moved = await current(database, steady, after)
    assert (moved.plan.version, moved.seats, moved.add_ons) == (2, 4, {"help": 1})
    on_trial = await current(database, trying, after)
    assert (on_trial.plan.version, on_trial.state_until) == (2, MARCH + timedelta(days=20))
    ends = await current(database, leaving, after)
    assert (ends.plan.version, ends.end) == (2, MARCH + timedelta(days=15))
    assert ends.next_plan is not None
    assert ends.next_plan.definition.id == "free"
    later = await migrate_plan(
        database,
        "team",
        MigrationRequest(preview=False),
        after,
        caller=COMMAND_LINE,
        cursor=None,
        limit=50,
    )
    assert later.items == []


async def test_who_can_not_be_moved_is_told(database: Database) -> None:
    euro = {
        "currency": "EUR",
        "charges": [{"id": name, "price": "1"} for name in ("seats", "tokens", "help")],
    }
    await publish(database, team("1", price_lists=[euro]))
    tenant = await make_tenant(database, currency="EUR")
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "team", MARCH)
    await publish(database, team("3"))
    (seen,) = (await migrate(database, preview=False)).items
    assert (seen.migrated, seen.problem) == (None, "plan team has no prices in EUR")
    assert (await current(database, tenant, NOW + timedelta(hours=1))).plan.version == 1
    with pytest.raises(InvalidInput):
        await migrate(database, at=MARCH.isoformat())
