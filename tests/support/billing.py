"""A tenant, a catalog and rollups, written straight into the test's own database."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import insert

from backend.ids import new_id
from backend.pricing.periods import QUARTER_HOUR
from backend.storage.database import Database
from backend.storage.tables import rollups, tenants, usage_versions
from backend_client.types.accounts import Tenant
from backend_client.types.catalog import Catalog
from tests.support.days import sum_days

NOW = datetime(2026, 3, 10, 12, 5, tzinfo=UTC)


def catalog_with(**changes: object) -> Catalog:
    """A catalog of two models and three plans; ``changes`` replace its top-level fields."""
    tokens = {"meters": ["input_tokens", "output_tokens"], "quantity": 1000, "limit": "hard"}
    document: dict[str, object] = {
        "version": 1,
        "default_plan": "free",
        "models": [
            {
                "id": name,
                "name": name.title(),
                "context_window": 4096,
                "max_output_tokens": 1024,
                "tokenizer": "upstream",
            }
            for name in ("large", "small")
        ],
        "plans": [
            {"id": "free", "name": "Free", "quotas": [tokens]},
            {
                "id": "paid",
                "name": "Paid",
                "charges": [
                    {"id": "fee", "name": "Fee", "kind": "flat", "price": "31"},
                    {
                        "id": "input",
                        "name": "Input",
                        "kind": "per_unit",
                        "meters": ["input_tokens"],
                        "price": "0.15",
                    },
                    {
                        "id": "output",
                        "name": "Output",
                        "kind": "graduated",
                        "meters": ["output_tokens"],
                        "models": ["large"],
                        "included": "100000",
                        "tiers": [
                            {"up_to": "1000000", "price": "10"},
                            {"up_to": None, "price": "5"},
                        ],
                    },
                ],
            },
            {"id": "euro", "name": "Euro", "currency": "EUR"},
        ],
    }
    return Catalog.model_validate(document | changes)


async def make_tenant(database: Database, **changes: object) -> Tenant:
    name = new_id("ten")
    fields = {
        "id": name,
        "slug": name.replace("_", "-"),
        "name": "Sample",
        "time_zone": "UTC",
        "currency": "USD",
        "is_sample": True,
        "created_at": NOW,
    }
    tenant = Tenant.model_validate(fields | changes)
    async with database.begin() as connection:
        await connection.execute(insert(tenants).values(**tenant.model_dump()))
    return tenant


async def add_usage(
    database: Database,
    tenant: Tenant,
    *usage: tuple[str, str, str, str],
    version: int = 1,
) -> None:
    """Write rollups of (quarter hour, model, meter, quantity), and those of their days."""
    buckets = [datetime.fromisoformat(bucket) for bucket, *_ in usage]
    async with database.begin() as connection:
        for bucket, model, meter, quantity in usage:
            await connection.execute(
                insert(rollups).values(
                    tenant_id=tenant.id,
                    bucket=datetime.fromisoformat(bucket),
                    application_id="app_1",
                    key_id="",
                    model=model,
                    meter=meter,
                    quantity=Decimal(quantity),
                    event_count=1,
                )
            )
        if buckets:
            await sum_days(connection, tenant.id, min(buckets), max(buckets) + QUARTER_HOUR)
        await connection.execute(
            insert(usage_versions).values(tenant_id=tenant.id, version=version, last_event_at=NOW)
        )
