"""A tenant whose usage Orb rates, by a plan that fits, and what Orb counted of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import update

from backend.catalog.published import apply_catalog
from backend.customers.profiles import set_details
from backend.platforms.comparing.verifying import connection_rows, verify
from backend.platforms.connections import connect
from backend.platforms.orb.adapter import Orb
from backend.platforms.queueing.usage import collect_usage
from backend.pricing.periods import billing_period
from backend.storage.database import Database
from backend.storage.tables import rollups, usage_versions
from backend_client.types.accounts import Tenant
from backend_client.types.platforms import PlatformConnect, PlatformMode
from tests.platforms.conftest import Clock, drift
from tests.platforms.orb.conftest import DETAILS, send
from tests.support.billing import catalog_with
from tests.support.invoices import subscribed
from tests.support.orb.server import OrbStandIn

NOW = datetime.now(UTC)
SOME_DAY = (NOW - timedelta(days=3)).replace(minute=5, second=0, microsecond=0)
"""Long before the grace period."""
LATELY = (NOW - timedelta(hours=2)).replace(minute=5, second=0, microsecond=0)
"""Within the grace period, and settled."""
PERIOD = billing_period(SOME_DAY, "Asia/Tokyo", 1)

PLAN = {
    "id": "fitting",
    "name": "Fitting",
    "charges": [
        {"id": "fee", "name": "Fee", "kind": "flat", "price": "20"},
        {
            "id": "tokens",
            "name": "Tokens",
            "kind": "graduated",
            "meters": ["input_tokens", "output_tokens"],
            "models": ["large"],
            "included": "1000",
            "tiers": [{"up_to": "1000000", "price": "10"}, {"up_to": None, "price": "5"}],
        },
        {
            "id": "requests",
            "name": "Requests",
            "kind": "volume",
            "meters": ["requests"],
            "models": ["large", "small"],
            "unit_size": 1000,
            "tiers": [{"up_to": "2000", "price": "0.37"}, {"up_to": None, "price": "0.21"}],
        },
    ],
}


async def apply_plan(database: Database) -> None:
    catalog = catalog_with()
    document = catalog.model_dump(mode="json")
    document["plans"].append(PLAN)
    async with database.begin() as connection:
        await apply_catalog(connection, type(catalog).model_validate(document))


async def rated_by_orb(
    database: Database, orb: Orb, plan: str = "fitting", *, subscribes: bool = True
) -> Tenant:
    """A tenant whose usage Orb has rated since the present period began."""
    await apply_plan(database)
    tenant = await subscribed(database, plan, PERIOD.start, time_zone="Asia/Tokyo")
    wanted = PlatformConnect(platform="orb", mode=PlatformMode.USAGE, starts_at=PERIOD.start)
    async with database.begin() as connection:
        await set_details(connection, tenant.id, DETAILS)
        await connect(connection, tenant.id, wanted, orb, PERIOD.start)
    if subscribes:
        await send(database, orb)
    return tenant


async def sent(database: Database, orb: Orb, clock: Clock | None = None) -> None:
    await collect_usage(database, ["orb"], (clock or Clock())())
    await send(database, orb, clock)


async def becomes(database: Database, at: datetime, quantity: str) -> None:
    """A quarter hour's sum is corrected."""
    quarter = at.replace(minute=at.minute // 15 * 15)
    async with database.begin() as connection:
        await connection.execute(
            update(rollups).where(rollups.c.bucket == quarter).values(quantity=Decimal(quantity))
        )
        await connection.execute(
            usage_versions.update().values(version=usage_versions.c.version + 1)
        )


def on_orb(stand_in: OrbStandIn, meter: str = "input_tokens") -> Decimal:
    books = stand_in.books
    [metric] = [
        metric for metric in books.all("metric") if metric["name"] == f"Farebox: {meter} large"
    ]
    [customer] = books.all("customer")
    events = books.counted(customer["id"], metric["sql"], PERIOD.start, NOW + timedelta(days=1))
    return sum((Decimal(str(event["properties"]["quantity"])) for event in events), Decimal(0))


async def compared(database: Database, orb: Orb, at: datetime) -> list[dict[str, Any]]:
    for row in await connection_rows(database, "orb", None):
        await verify(database, orb, row, at)
    return await drift(database)
