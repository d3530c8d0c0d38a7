"""How long rating takes: from sums, from a month of quarter hours, and as live spend.

``python -m benchmarks.pricing``. Targets: a tenant-month of 50 models and 6 meters in 5 ms; from
its 900,000 rollup rows, with a price by night, in 1 s; live spend in 30 ms at p95. What was rated
is checked against figures worked out by hand; a difference fails the benchmark.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.catalog.published import apply_catalog
from backend.engines.postgres import start_postgres
from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.periods import billing_period
from backend.pricing.rating.rated_period import Stretch, rate
from backend.spend.gathering import open_period
from backend.spend.queries import spend_report
from backend.storage.database import Database
from backend.storage.migrate import migrate
from backend.storage.tables import tenants
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.catalog import Catalog
from backend_client.types.plans import PlanDefinition
from tests.support.days import sum_days

MODELS = [f"model-{number}" for number in range(50)]
METERS = [
    "requests",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "images",
]
MARCH = billing_period(datetime(2026, 3, 15, tzinfo=UTC), "UTC")
NOW = datetime(2026, 3, 31, 23, tzinfo=UTC)


def plan(name: str, *, nights: bool) -> dict[str, object]:
    """Three hundred charges: one for each meter of each model, half of them in tiers."""
    charges: list[dict[str, object]] = []
    for model in MODELS:
        for place, meter in enumerate(METERS):
            charge: dict[str, object] = {
                "id": f"{model}-{meter}".replace("_", "-"),
                "name": f"{model} {meter}",
                "meters": [meter],
                "models": [model],
            }
            if place % 2:
                tiers = [
                    {"up_to": 1_000_000, "price": "3"},
                    {"up_to": 50_000_000, "price": "2"},
                    {"up_to": None, "price": "1"},
                ]
                charge |= {"kind": "graduated", "tiers": tiers}
            else:
                charge |= {"kind": "per_unit", "price": "0.5"}
            charges.append(charge)
            if nights:
                night = {"id": f"{charge['id']}-night", "window": "night", "kind": "per_unit"}
                charges.append(charge | night | {"price": "0.25", "tiers": None})
                del charges[-1]["tiers"]
    window = {"id": "night", "name": "Night", "time_zone": "Europe/Berlin"}
    return {
        "id": name,
        "name": name,
        "charges": charges,
        "windows": [window | {"start": "22:00", "end": "06:00"}] if nights else [],
    }


def milliseconds(act: Callable[[], object], turns: int) -> list[float]:
    """Time ``act``, after a turn to warm up."""
    act()
    taken = []
    for _ in range(turns):
        began = time.perf_counter()
        act()
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


def rate_sums() -> list[float]:
    """Rate a tenant-month from its sums."""
    definition = PlanDefinition.model_validate(plan("day", nights=False))
    usage = [
        MeteredQuantity(model, meter, Decimal(7_000_001)) for model in MODELS for meter in METERS
    ]
    stretch = Stretch(definition, 1, MARCH.start, MARCH.end, usage)
    # 150 lines of 3.5000005, 150 of 3 + 6.000001 * 2
    assert rate([stretch], MARCH, "USD").total == 150 * (Decimal("3.50") + Decimal("15.00"))
    return milliseconds(lambda: rate([stretch], MARCH, "USD"), 200)


async def fill(connection: AsyncConnection, tenant_id: str) -> int:
    """Write a rollup for every quarter hour of the month, of every meter of every model."""
    await connection.execute(
        text(
            """
            INSERT INTO rollups (tenant_id, bucket, application_id, key_id, model, meter,
                                 quantity, event_count)
            SELECT :tenant_id, bucket, 'app_1', '', model, meter, 1000, 1
            FROM generate_series(CAST(:start AS timestamptz), CAST(:end AS timestamptz)
                                 - interval '15 minutes', interval '15 minutes') AS bucket,
                 unnest(CAST(:models AS text[])) AS model, unnest(CAST(:meters AS text[])) AS meter
            """
        ),
        {
            "tenant_id": tenant_id,
            "start": MARCH.start,
            "end": MARCH.end,
            "models": MODELS,
            "meters": METERS,
        },
    )
    await sum_days(connection, tenant_id, MARCH.start, MARCH.end)
    query = text("SELECT count(*) FROM rollups WHERE tenant_id = :tenant_id")
    return int(await connection.scalar(query, {"tenant_id": tenant_id}) or 0)


async def make(database: Database, name: str, plan_id: str) -> Tenant:
    """Make a tenant on a plan."""
    fields = {"id": name, "slug": name.replace("_", "-"), "name": name, "time_zone": "UTC"}
    tenant = Tenant(**fields, currency="USD", is_sample=True, created_at=NOW)
    async with database.begin() as connection:
        await connection.execute(insert(tenants).values(**tenant.model_dump()))
        await start_subscription(connection, tenant.id, plan_id, MARCH.start)
    return tenant


async def from_quarter_hours(database: Database) -> tuple[int, list[float], list[float]]:
    """Rate a tenant-month from all its rollups, with and without a price by night."""
    night, day = await make(database, "ten_night", "night"), await make(database, "ten_day", "day")
    async with database.begin() as connection:
        rows = await fill(connection, night.id)
        await fill(connection, day.id)
    async with database.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(
            text("VACUUM ANALYZE rollups")
        )
    taken: dict[str, list[float]] = {night.id: [], day.id: []}
    for _ in range(6):
        for tenant in (night, day):
            began = time.perf_counter()
            async with database.begin() as connection:
                rated = (await open_period(connection, tenant, NOW)).rate()
            taken[tenant.id].append(time.perf_counter() - began)
            counted = sum(line.quantity for line in rated.lines)
            assert counted == rows * 1000
            if tenant is night:
                # Clocks make the night of the 29th an hour shorter, and later nights begin an hour
                # earlier in UTC, so that the last day of the month has an hour more of its night
                dark = sum(line.quantity for line in rated.lines if line.charge.window)
                assert dark == 300 * 1000 * 31 * 32
    return rows, sorted(taken[night.id][1:]), sorted(taken[day.id][1:])


async def live_spend(database: Database) -> list[float]:
    """Ask for live spend of a tenant with a month of five models' use, as a page does."""
    tenant = await make(database, "ten_live", "day")
    async with database.begin() as connection:
        await connection.execute(
            text(
                """
                INSERT INTO rollups (tenant_id, bucket, application_id, key_id, model, meter,
                                     quantity, event_count)
                SELECT 'ten_live', bucket, application_id, key_id, model, meter, quantity, 1
                FROM rollups WHERE tenant_id = 'ten_day'
                AND model = ANY(CAST(:models AS text[])) AND meter = ANY(CAST(:meters AS text[]))
                """
            ),
            {"models": MODELS[:5], "meters": METERS[:4]},
        )
        await sum_days(connection, tenant.id, MARCH.start, MARCH.end)
    taken = []
    for _ in range(200):
        began = time.perf_counter()
        async with database.begin() as connection:
            await spend_report(connection, tenant, NOW)
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken[20:])


def told(what: str, taken: list[float], unit: str, digits: int) -> None:
    """Print the median, the 95th percentile and the worst of sorted times."""
    p95 = taken[min(len(taken) * 95 // 100, len(taken) - 1)]
    figures = (statistics.median(taken), p95, taken[-1])
    print(f"{what} ({unit}): median, p95, worst", *(f"{figure:.{digits}f}" for figure in figures))


async def main() -> None:
    """Run all three, and print what RESULTS.md has."""
    told("from 300 sums", rate_sums(), "ms", 2)
    with tempfile.TemporaryDirectory(prefix="fb-") as folder:
        postgres = start_postgres(Path(folder) / "postgres")
        database = Database(postgres.url, pool_size=2)
        try:
            await migrate(database.engine)
            sizes = {"context_window": 1, "max_output_tokens": 1, "tokenizer": "upstream"}
            models = [{"id": name, "name": name} | sizes for name in MODELS]
            plans = [plan("day", nights=False), plan("night", nights=True)]
            catalog = {"version": 1, "default_plan": "day", "models": models, "plans": plans}
            async with database.begin() as connection:
                await apply_catalog(connection, Catalog.model_validate(catalog))
            rows, night, day = await from_quarter_hours(database)
            told(f"from {rows:,} rollup rows", day, "s", 2)
            told(f"from {rows:,} rollup rows, night and day", night, "s", 2)
            told("live spend", await live_spend(database), "ms", 1)
        finally:
            await database.close()
            postgres.stop()


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    asyncio.run(main())
