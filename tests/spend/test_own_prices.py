"""Prices that were agreed with one tenant: what it pays, and what becomes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from backend.accounts.principal import COMMAND_LINE
from backend.catalog.published import apply_catalog, latest_plan, list_plans
from backend.errors import Forbidden
from backend.pricing.charges.own_prices import with_own_prices
from backend.pricing.errors import OwnPriceNotUsable
from backend.spend.plan_moves import list_versions, migrate_plan
from backend.spend.queries import spend_report
from backend.storage.database import Database
from backend.subscriptions.changes import change_plan, start_subscription
from backend.subscriptions.queries import current_subscription, plan_in_force
from backend_client.types.accounts import Tenant
from backend_client.types.common import Page
from backend_client.types.plan_terms import OwnPrice
from backend_client.types.plan_versions import MigratedTenant, MigrationRequest
from backend_client.types.plans import PlanDefinition
from backend_client.types.subscriptions import Subscription, SubscriptionChange
from tests.support.billing import add_usage, catalog_with, make_tenant

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
HALF = datetime(2026, 3, 11, tzinfo=UTC)
LATER = datetime(2026, 3, 21, tzinfo=UTC)
TOKENS = {"id": "tokens", "name": "Tokens", "kind": "per_unit", "meters": ["input_tokens"]}
TIERED = {
    "id": "output",
    "name": "Output",
    "kind": "graduated",
    "meters": ["output_tokens"],
    "tiers": [{"up_to": None, "price": "4"}],
}
SEATS = {"id": "seats", "name": "Seats", "kind": "flat", "per": "seat", "price": "0"}
CUT = {"id": "cut", "name": "Cut", "kind": "percentage", "meters": ["cost"], "percent": "5"}


def team(price: str = "2", **more: object) -> dict[str, object]:
    charges = [SEATS, TOKENS | {"price": price}, TIERED, CUT]
    return {"id": "team", "name": "Team", "charges": charges} | more


def own(**price: object) -> OwnPrice:
    return OwnPrice.model_validate({"id": "tokens"} | price)


PLAN = PlanDefinition.model_validate(team())


@pytest.mark.fast
@pytest.mark.parametrize(
    ("prices", "field"),
    [
        ([own(id="none", price="1")], "prices.0.id"),
        ([own(price="1"), own(price="2")], "prices.1.id"),
        ([own(tiers=[{"up_to": None, "price": "1"}])], "prices.0.tiers"),
        ([own(id="output", price="1")], "prices.0.price"),
        ([own(id="cut", price="1")], "prices.0.price"),
        ([own(id="seats", included="1.5")], "prices.0.included"),
        ([own(id="output", tiers=[{"up_to": "1", "price": "1"}])], "prices"),
    ],
    ids=str,
)
def test_a_price_that_its_charge_can_not_have_is_refused(
    prices: list[OwnPrice], field: str
) -> None:
    with pytest.raises(OwnPriceNotUsable) as refused:
        with_own_prices(PLAN, "USD", prices)
    assert refused.value.errors[0].field == field


@pytest.mark.fast
def test_what_is_not_agreed_stays_the_plans() -> None:
    prices = [own(price="0.5", included="1000"), own(id="cut", percent="2.5")]
    priced = with_own_prices(PLAN, "USD", prices)
    _, tokens, output, cut = priced.charges
    assert (tokens.price, tokens.included, tokens.meters) == (  # type: ignore[union-attr]  # kinds
        Decimal("0.5"),
        1000,
        ["input_tokens"],
    )
    assert output == PLAN.charges[2]
    assert cut.percent == Decimal("2.5")  # type: ignore[union-attr]  # it is a percentage
    euro = {
        "currency": "EUR",
        "charges": [
            {"id": "seats", "price": "0"},
            {"id": "tokens", "price": "1.8"},
            {"id": "output", "tiers": [{"up_to": None, "price": "3.6"}]},
        ],
    }
    in_euro = with_own_prices(
        PlanDefinition.model_validate(team(price_lists=[euro])), "EUR", [own(price="0.9")]
    )
    assert (in_euro.currency, in_euro.price_lists) == ("EUR", [])
    assert in_euro.charges[1].price == Decimal("0.9")  # type: ignore[union-attr]  # per unit


async def publish(database: Database, *plans: dict[str, object]) -> None:
    async with database.begin() as connection:
        free = {"id": "free", "name": "Free"}
        await apply_catalog(connection, catalog_with(plans=[free, *plans]))


async def change(
    database: Database, tenant: Tenant, now: datetime, *, operator: bool = True, **wanted: object
) -> Subscription:
    async with database.begin() as connection:
        request = SubscriptionChange.model_validate({"plan": "team"} | wanted)
        return await change_plan(connection, tenant.id, request, now, by_operator=operator)


async def migrate(
    database: Database, wanted: MigrationRequest, now: datetime
) -> Page[MigratedTenant]:
    return await migrate_plan(
        database, "team", wanted, now, caller=COMMAND_LINE, cursor=None, limit=50
    )


async def total(database: Database, tenant: Tenant) -> Decimal:
    async with database.begin() as connection:
        report = await spend_report(connection, tenant, LATER + timedelta(days=5))
    return report.total.amount


@pytest.mark.engine
async def test_own_prices_hold_from_their_quarter_hour_and_bill_this_tenant_alone(
    database: Database,
) -> None:
    await publish(database, team())
    tenant, other = [await make_tenant(database) for _ in range(2)]
    async with database.begin() as connection:
        for each in (tenant, other):
            await start_subscription(connection, each.id, "team", MARCH)
    for each in (tenant, other):
        days = ("2026-03-05T00:00Z", "2026-03-15T00:00Z", "2026-03-25T00:00Z")
        usage = [(day, "large", "input_tokens", "1000000") for day in days]
        await add_usage(database, each, *usage)
    with pytest.raises(Forbidden, match="seller"):
        await change(database, tenant, MARCH, operator=False, prices=[own(price="0").model_dump()])
    await change(database, tenant, HALF, at=HALF, prices=[{"id": "tokens", "price": "0.5"}])
    assert (await total(database, tenant), await total(database, other)) == (3, 6)

    # Seats change without touching them; what the customer does itself takes nothing away
    await change(database, tenant, LATER, operator=False, at=LATER, seats=3)
    assert await total(database, tenant) == 3
    async with database.begin() as connection:
        subscription = await current_subscription(connection, tenant.id, LATER)
        in_force = await plan_in_force(connection, tenant, LATER)
        versions = await list_versions(connection, "team")
        on_sale = {plan.definition.id: plan.version for plan in await list_plans(connection)}
    assert subscription.plan.own_prices == [own(price="0.5")]
    assert (subscription.plan.version, subscription.plan.base_version) == (2, 1)
    assert in_force.plan.charges[1].price == Decimal("0.5")  # type: ignore[union-attr]  # per unit
    assert [plan.version for plan in versions] == [1, 2]
    assert on_sale["team"] == 1

    # An empty list ends them
    await change(database, tenant, LATER, at=LATER, prices=[])
    assert await total(database, tenant) == Decimal("4.5")
    async with database.begin() as connection:
        assert (await current_subscription(connection, tenant.id, LATER)).plan.version == 1


@pytest.mark.engine
async def test_own_prices_move_to_a_new_version_of_the_plan_if_they_fit(
    database: Database,
) -> None:
    await publish(database, team())
    fits, unfit = [await make_tenant(database) for _ in range(2)]
    async with database.begin() as connection:
        for each in (fits, unfit):
            await start_subscription(connection, each.id, "team", MARCH)
    await change(database, fits, MARCH, prices=[{"id": "tokens", "price": "0.5"}])
    await change(database, unfit, MARCH, prices=[{"id": "cut", "percent": "1"}])
    dearer = team("9")
    await publish(database, dearer | {"charges": dearer["charges"][:-1]})  # type: ignore[index]
    async with database.begin() as connection:
        latest = await latest_plan(connection, "team")
    # 1 and the two agreed ones come before it
    assert (latest.version, latest.own_prices) == (4, [])
    for preview in (True, False):
        wanted = MigrationRequest(preview=preview)
        page = await migrate(database, wanted, HALF)
        problems = {item.tenant: item.problem for item in page.items}
        assert problems[fits.id] is None
        assert "cut" in (problems[unfit.id] or "")
    after = HALF + timedelta(hours=1)
    async with database.begin() as connection:
        moved = (await current_subscription(connection, fits.id, after)).plan
        stayed = (await current_subscription(connection, unfit.id, after)).plan
    assert (moved.base_version, moved.own_prices) == (latest.version, [own(price="0.5")])
    assert stayed.base_version == 1
    again = MigrationRequest(preview=True)
    page = await migrate(database, again, after)
    assert [item.tenant for item in page.items] == [unfit.id]
