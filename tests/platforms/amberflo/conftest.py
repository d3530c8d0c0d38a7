"""A tenant whose usage Amberflo rates, a stand-in for Amberflo, and what both have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.catalog.published import apply_catalog
from backend.platforms.amberflo.adapter import Amberflo
from backend.platforms.comparing.verifying import connection_rows, verify
from backend.platforms.configured import open_amberflo
from backend.platforms.connections import connect
from backend.platforms.queueing.usage import collect_usage
from backend.platforms.receiving.polling import poll
from backend.platforms.sending.sending import Sending
from backend.pricing.periods import billing_period
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.platforms import PlatformConnect, PlatformMode
from tests.platforms.conftest import Clock, dispatches, drift
from tests.support.amberflo.server import KEY, WEBHOOK_SECRET, AmberfloStandIn
from tests.support.billing import catalog_with
from tests.support.invoices import subscribed

SOME_DAY = (datetime.now(UTC) - timedelta(days=3)).replace(minute=5, second=0, microsecond=0)
PERIOD = billing_period(SOME_DAY, "UTC", 1)
TOMORROW = datetime.now(UTC) + timedelta(days=1)
LATER = PERIOD.end + timedelta(days=2)
"""When its invoice is final."""

PLAN = {
    "id": "fitting",
    "name": "Fitting",
    "charges": [
        {"id": "fee", "name": "Fee", "kind": "flat", "price": "20"},
        {
            "id": "input",
            "name": "Input",
            "kind": "graduated",
            "meters": ["input_tokens"],
            "models": ["large"],
            "included": "1000",
            "unit_size": 1000,
            "tiers": [{"up_to": "1000000", "price": "0.01"}, {"up_to": None, "price": "0.005"}],
        },
    ],
}


@pytest.fixture
async def stand_in() -> AsyncIterator[AmberfloStandIn]:
    """Its clock stands in the period, or in its grace, whatever day of the month it is."""
    async with AmberfloStandIn() as server:
        server.ahead = SOME_DAY + timedelta(hours=12) - datetime.now(UTC)
        yield server


@pytest.fixture
def settings(stand_in: AmberfloStandIn) -> Settings:
    return amberflo_settings(stand_in)


def amberflo_settings(stand_in: AmberfloStandIn, **changes: Any) -> Settings:
    return Settings.model_validate(
        {
            "amberflo_api_key": KEY,
            "amberflo_webhook_secret": f"header_of_before {WEBHOOK_SECRET}",
            "amberflo_url": stand_in.url,
            "amberflo_ingest_url": stand_in.url,
            "amberflo_requests_per_second": 100,
            **changes,
        }
    )


@pytest.fixture
async def amberflo(database: Database, settings: Settings) -> AsyncIterator[Amberflo]:
    catalog = catalog_with()
    document = catalog.model_dump(mode="json")
    document["plans"].append(PLAN)
    async with database.begin() as connection:
        await apply_catalog(connection, type(catalog).model_validate(document))
    async with opened(database, settings) as adapter:
        yield adapter


@asynccontextmanager
async def opened(database: Database, settings: Settings) -> AsyncIterator[Amberflo]:
    adapter = open_amberflo(database, settings)
    assert adapter is not None
    yield adapter
    await adapter.close()


async def rated_by_amberflo(
    database: Database, amberflo: Amberflo, plan: str = "fitting", **changes: Any
) -> Tenant:
    """A tenant whose usage Amberflo has rated since the present period began."""
    tenant = await subscribed(database, plan, PERIOD.start, **changes)
    wanted = PlatformConnect(platform="amberflo", mode=PlatformMode.USAGE, starts_at=PERIOD.start)
    async with database.begin() as connection:
        await connect(connection, tenant.id, wanted, amberflo, PERIOD.start)
    await send(database, amberflo)
    return tenant


async def send(database: Database, amberflo: Amberflo, clock: Clock | None = None) -> None:
    """Send all that is due."""
    sending = Sending(database, {"amberflo": amberflo}, clock=clock or Clock())
    while await sending.send_due(asyncio.Event()):
        pass


async def sent(database: Database, amberflo: Amberflo, clock: Clock | None = None) -> None:
    """Queue what changed of usage, and send it."""
    await collect_usage(database, ["amberflo"], (clock or Clock())())
    await send(database, amberflo, clock)


async def usage_rows(database: Database, tenant: Tenant) -> list[dict[str, Any]]:
    return [row for row in await dispatches(database, tenant) if row["stream"] == "usage"]


async def compared(
    database: Database, settings: Settings, amberflo: Amberflo, at: datetime = TOMORROW
) -> list[dict[str, Any]]:
    """Ask and compare; what differs then."""
    for row in await connection_rows(database, "amberflo", None):
        await poll(database, settings, amberflo, row, at)
        await verify(database, amberflo, row, at)
    return await drift(database)


def on_amberflo(stand_in: AmberfloStandIn) -> Decimal:
    """What Amberflo counts of all usage."""
    events = stand_in.books.events.there.values()
    return sum((Decimal(str(of.said["meterValue"])) for of in events if of.counts()), Decimal(0))
