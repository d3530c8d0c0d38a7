"""A tenant whose endpoints are real servers of this machine, and what delivers to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from backend.accounts.principal import ROLE_PERMISSIONS, Principal
from backend.kit.sealing import Sealer
from backend.storage.database import Database
from backend.webhooks.delivering import WebhookDelivering
from backend.webhooks.endpoints import create_webhook
from backend.webhooks.queries import find_delivery
from backend.webhooks.routing import fan_out
from backend_client.types.accounts import Role, Tenant
from backend_client.types.webhooks import WebhookCreate, WebhookCreated, WebhookDeliveryDetails
from tests.outbox.servers import Receiver, receiving
from tests.support.billing import make_tenant

SECRETS_KEY = SecretStr("a-key-of-this-machine-that-is-long")
SEALER = Sealer(SECRETS_KEY)
HERE = ["127.0.0.0/8"]
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
DISABLE_AFTER = timedelta(days=5)


class Clock:
    """A clock that stands until it is moved on."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    return await make_tenant(database)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def owner_of(tenant: Tenant) -> Principal:
    return Principal(
        kind="user",
        id="usr_owner",
        tenant_id=tenant.id,
        permissions=ROLE_PERMISSIONS[Role.OWNER],
        role=Role.OWNER,
    )


async def registered(database: Database, tenant: Tenant, url: str, **wanted: Any) -> WebhookCreated:
    """An endpoint of the tenant's, on this machine."""
    webhook = WebhookCreate(url=url, **wanted)
    async with database.begin() as connection:
        return await create_webhook(connection, SEALER, HERE, owner_of(tenant), webhook)


def delivering(database: Database, clock: Callable[[], datetime], **how: Any) -> WebhookDelivering:
    settings = {"networks": HERE, "disable_after": DISABLE_AFTER, "sealer": SEALER}
    # A busy machine is no slow endpoint
    settings |= {"timeout_seconds": 600.0} | how
    return WebhookDelivering(database, clock=clock, **settings)


async def deliver(database: Database, clock: Callable[[], datetime], **how: Any) -> int:
    """Queue and try all that is due; return how many were tried."""
    async with database.begin() as connection:
        await fan_out(connection, clock())
    return await delivering(database, clock, **how).deliver_due()


async def log_of(
    database: Database, tenant: Tenant, webhook_id: str, event_id: str
) -> WebhookDeliveryDetails:
    async with database.begin() as connection:
        return await find_delivery(connection, tenant.id, webhook_id, event_id)
