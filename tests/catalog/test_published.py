"""Publishing the catalog: only what changed, as new versions that never change again."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from backend.catalog.published import (
    apply_catalog,
    default_plan,
    latest_plan,
    list_models,
    list_plans,
)
from backend.errors import ConfigurationError, NotFound
from backend.storage.database import Database
from backend_client.types.catalog import Catalog, CatalogApplied
from tests.support.billing import catalog_with

pytestmark = pytest.mark.engine


async def apply(database: Database, catalog: Catalog) -> CatalogApplied:
    async with database.begin() as connection:
        return await apply_catalog(connection, catalog)


def with_fee(price: str) -> Catalog:
    plans = [plan.model_dump() for plan in catalog_with().plans]
    plans[1]["charges"][0]["price"] = price
    return catalog_with(plans=plans)


async def test_applying_publishes_once(database: Database, catalog: Catalog) -> None:
    first = await apply(database, catalog)
    assert (first.plans_published, first.models_changed) == (
        ["free", "paid", "euro"],
        ["large", "small"],
    )
    again = await apply(database, catalog)
    assert again == CatalogApplied(
        plans_published=[], plans_unchanged=["free", "paid", "euro"], models_changed=[]
    )
    async with database.begin() as connection:
        plans = await list_plans(connection)
    assert [(plan.definition, plan.version) for plan in plans] == [
        (plan, 1) for plan in catalog.plans
    ]


async def test_a_changed_plan_becomes_a_new_version(database: Database, applied: Catalog) -> None:
    assert (await apply(database, with_fee("32"))).plans_published == ["paid"]
    async with database.begin() as connection:
        paid = await latest_plan(connection, "paid")
    assert (paid.version, paid.definition.charges[0].price) == (2, Decimal(32))


async def test_the_database_keeps_what_is_published(database: Database, applied: Catalog) -> None:
    with pytest.raises(IntegrityError, match="never changed"):
        async with database.begin() as connection:
            await connection.execute(text("UPDATE plan_versions SET definition = '{}'"))


async def test_the_same_price_written_otherwise_is_no_change(
    database: Database, applied: Catalog
) -> None:
    assert (await apply(database, with_fee("31.00"))).plans_published == []


async def test_exact_prices_survive_the_database(database: Database) -> None:
    await apply(database, with_fee("123456789012.123456789012"))
    async with database.begin() as connection:
        paid = await latest_plan(connection, "paid")
    assert paid.definition.charges[0].price == Decimal("123456789012.123456789012")


async def test_what_is_left_out_is_no_longer_on_sale(database: Database, applied: Catalog) -> None:
    changed = await apply(
        database, catalog_with(plans=applied.plans[:1], models=applied.models[1:])
    )
    assert changed.models_changed == ["small", "large"]  # moved up, and retired
    async with database.begin() as connection:
        assert [plan.definition.id for plan in await list_plans(connection)] == ["free"]
        models = await list_models(connection, available=(), plan=None)
        assert [model.id for model in models] == ["small"]
        with pytest.raises(NotFound):
            await latest_plan(connection, "paid")
    back = await apply(database, applied)
    assert (back.plans_published, back.models_changed) == ([], ["large", "small"])


async def test_replicas_that_apply_at_once_publish_one_version(
    database: Database, applied: Catalog
) -> None:
    results = await asyncio.gather(*(apply(database, with_fee("32")) for _ in range(4)))
    assert sum("paid" in result.plans_published for result in results) == 1
    async with database.begin() as connection:
        assert (await latest_plan(connection, "paid")).version == 2


async def test_without_a_catalog_the_default_plan_says_what_to_do(database: Database) -> None:
    async with database.begin() as connection:
        with pytest.raises(ConfigurationError, match="farebox catalog apply"):
            await default_plan(connection)


async def test_models_show_what_they_cost_on_a_plan(database: Database, applied: Catalog) -> None:
    async with database.begin() as connection:
        large, small = await list_models(connection, available={"large"}, plan=applied.plans[1])
    assert (large.available, small.available) == (True, False)
    assert {price.meter: (price.price, price.unit_size) for price in large.prices} == {
        "input_tokens": (Decimal("0.15"), 1_000_000),
        "cached_input_tokens": (Decimal("0.15"), 1_000_000),
        "output_tokens": (Decimal(10), 1_000_000),
        "reasoning_tokens": (Decimal(10), 1_000_000),
    }
    assert [price.meter for price in small.prices] == ["input_tokens", "cached_input_tokens"]
