"""A tenant on Orb, a stand-in for Orb, and workers that send to it and apply what it says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.customers.profiles import set_details
from backend.platforms.configured import open_orb
from backend.platforms.connections import connect
from backend.platforms.orb.adapter import Orb
from backend.platforms.receiving.applying import Applying
from backend.platforms.receiving.inbox import store_message
from backend.platforms.sending.sending import Sending
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import BillingDetails
from backend_client.types.platforms import PlatformConnect
from tests.platforms.conftest import Clock
from tests.support.billing import make_tenant
from tests.support.orb.server import KEY, WEBHOOK_SECRET, OrbStandIn, signed

DETAILS = BillingDetails(name="Sample Inc.", address=["Street 1"], email="bills@sample.example")


@pytest.fixture
async def stand_in() -> AsyncIterator[OrbStandIn]:
    async with OrbStandIn() as server:
        yield server


@pytest.fixture
def settings(stand_in: OrbStandIn) -> Settings:
    return orb_settings(stand_in)


def orb_settings(stand_in: OrbStandIn, **changes: Any) -> Settings:
    return Settings.model_validate(
        {
            "orb_api_key": KEY,
            "orb_webhook_secret": f"secret-of-before {WEBHOOK_SECRET}",
            "orb_url": stand_in.url,
            "orb_requests_per_second": 100,
            **changes,
        }
    )


@pytest.fixture
async def orb(database: Database, settings: Settings) -> AsyncIterator[Orb]:
    async with opened(database, settings) as adapter:
        yield adapter


@asynccontextmanager
async def opened(database: Database, settings: Settings) -> AsyncIterator[Orb]:
    adapter = open_orb(database, settings)
    assert adapter is not None
    yield adapter
    await adapter.close()


@pytest.fixture
async def tenant(database: Database, orb: Orb) -> Tenant:
    return await on_orb(database, orb)


async def on_orb(database: Database, orb: Orb, **changes: Any) -> Tenant:
    """A tenant whose invoices are pushed to Orb."""
    tenant = await make_tenant(database, **changes)
    async with database.begin() as connection:
        await set_details(connection, tenant.id, DETAILS)
        wanted = PlatformConnect(platform="orb")
        await connect(connection, tenant.id, wanted, orb, datetime.now(UTC))
    return tenant


async def send(database: Database, orb: Orb, clock: Clock | None = None) -> int:
    """Send all that is due; return how many dispatches were tried."""
    sending = Sending(database, {"orb": orb}, clock=clock or Clock())
    tried = 0
    while batch := await sending.send_due(asyncio.Event()):
        tried += batch
    return tried


async def apply(
    database: Database, settings: Settings, orb: Orb, events: Sequence[dict[str, Any]]
) -> None:
    """Take webhooks in, and apply what is due."""
    for event in events:
        body = json.dumps(event).encode()
        now = datetime.now(UTC)
        message = orb.verify(signed(body), body, now)
        async with database.begin() as connection:
            await store_message(connection, "orb", message, now)
    applying = Applying(database, settings, {"orb": orb})
    while await applying.apply_due(asyncio.Event()):
        pass
