"""A tenant on Stripe, a stand-in for Stripe, and workers that send to it and apply what it says."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from backend.customers.profiles import profile_of
from backend.ids import new_id
from backend.invoices.issuing.issuing import ToIssue, issue
from backend.invoices.rules.lines import ComposedLine, Item
from backend.invoices.taxing.deciding import InvoiceTax, wire_tax
from backend.invoices.taxing.untaxed import Untaxed, closing_day
from backend.platforms.adapter import Adapter
from backend.platforms.configured import open_stripe
from backend.platforms.connections import connect
from backend.platforms.receiving.applying import Applying
from backend.platforms.receiving.inbox import store_message
from backend.platforms.sending.sending import Sending
from backend.platforms.stripe.adapter import Stripe
from backend.pricing.periods import BillingPeriod
from backend.pricing.tax.lines import TaxRate, add_tax
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import platform_dispatches, platform_drift
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import InvoiceKind
from backend_client.types.platforms import PlatformConnect
from backend_client.types.spend import Period
from tests.support.billing import make_tenant
from tests.support.stripe.server import KEY, WEBHOOK_SECRET, StripeStandIn

VAT = TaxRate("vat", "VAT", Decimal(19))


class Clock:
    """A clock that runs, and can be moved on."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def pass_by(self, time: timedelta) -> None:
        self.ahead += time


@pytest.fixture
async def stand_in() -> AsyncIterator[StripeStandIn]:
    async with StripeStandIn() as server:
        yield server


@pytest.fixture
def settings(stand_in: StripeStandIn) -> Settings:
    return stripe_settings(stand_in)


def stripe_settings(stand_in: StripeStandIn, **changes: Any) -> Settings:
    return Settings.model_validate(
        {
            "stripe_secret_key": KEY,
            "stripe_webhook_secret": f"whsec_of_before {WEBHOOK_SECRET}",
            "stripe_url": stand_in.url,
            "stripe_requests_per_second": 100,
            **changes,
        }
    )


@pytest.fixture
async def stripe(database: Database, settings: Settings) -> AsyncIterator[Stripe]:
    async with opened(database, settings) as adapter:
        yield adapter


@asynccontextmanager
async def opened(database: Database, settings: Settings) -> AsyncIterator[Stripe]:
    adapter = open_stripe(database, settings)
    assert adapter is not None
    yield adapter
    await adapter.close()


@pytest.fixture
async def tenant(database: Database, stripe: Stripe) -> Tenant:
    return await on_stripe(database, stripe)


async def on_stripe(database: Database, stripe: Stripe, **changes: Any) -> Tenant:
    """A tenant whose invoices are pushed to Stripe."""
    tenant = await make_tenant(database, **changes)
    wanted = PlatformConnect(platform="stripe")
    async with database.begin() as connection:
        await connect(connection, tenant.id, wanted, stripe, datetime.now(UTC))
    return tenant


async def issued(
    database: Database,
    settings: Settings,
    tenant: Tenant,
    amounts: Sequence[str],
    taxes: Sequence[TaxRate] = (),
    *,
    month: int = 3,
) -> str:
    """An invoice over lines of these amounts, issued now; its id."""
    start = datetime(2026, month, 1, tzinfo=UTC)
    period = BillingPeriod(start, datetime(2026, month + 1, 1, tzinfo=UTC), "UTC")
    on_wire = Period(start=period.start, end=period.end, time_zone="UTC")
    lines = [
        ComposedLine(
            Item("charge", "paid", 1, f"item-{number}"),
            f"Line {number}",
            on_wire,
            Decimal(amount),
            Decimal(amount),
            Decimal("12.34567891"),
        )
        for number, amount in enumerate(amounts, start=1)
    ]
    subtotal = sum((line.amount for line in lines), Decimal(0))
    taxation = add_tax(subtotal, taxes, tenant.currency)
    tax = InvoiceTax([wire_tax(line, tenant.currency) for line in taxation.taxes])
    invoice_id = new_id("inv")
    async with database.begin() as connection:
        untaxed = Untaxed(
            invoice_id,
            InvoiceKind.PERIOD,
            tenant,
            await profile_of(connection, tenant.id),
            period,
            lines,
            closing_day(period),
        )
        await issue(connection, settings, [ToIssue(untaxed, tax)], datetime.now(UTC))
    return invoice_id


async def send(database: Database, adapter: Adapter, clock: Clock | None = None) -> int:
    """Send all that is due; return how many dispatches were tried."""
    sending = Sending(database, {adapter.name: adapter}, clock=clock or Clock())
    tried = 0
    while batch := await sending.send_due(asyncio.Event()):
        tried += batch
    return tried


async def dispatches(database: Database, tenant: Tenant) -> list[dict[str, Any]]:
    """What was queued for a tenant, in order."""
    query = (
        select(platform_dispatches)
        .where(platform_dispatches.c.tenant_id == tenant.id)
        .order_by(platform_dispatches.c.sequence)
    )
    async with database.begin() as connection:
        return [dict(row) for row in (await connection.execute(query)).mappings()]


async def drift(database: Database) -> list[dict[str, Any]]:
    """What differs now."""
    query = select(platform_drift).where(platform_drift.c.resolved_at.is_(None))
    async with database.begin() as connection:
        return [dict(row) for row in (await connection.execute(query)).mappings()]


def signed(body: bytes, secret: str = WEBHOOK_SECRET, at: datetime | None = None) -> str:
    """The header of a webhook."""
    unix = int((at or datetime.now(UTC)).timestamp())
    digest = hmac.new(secret.encode(), f"{unix}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={unix},v1={digest}"


async def apply(
    database: Database,
    settings: Settings,
    stripe: Stripe,
    events: Sequence[dict[str, Any]],
    *,
    clock: Clock | None = None,
) -> None:
    """Take webhooks in, and apply what is due."""
    now = clock or Clock()
    for event in events:
        body = json.dumps(event).encode()
        message = stripe.verify({"stripe-signature": signed(body)}, body, now())
        async with database.begin() as connection:
            await store_message(connection, "stripe", message, now())
    applying = Applying(database, settings, {"stripe": stripe}, clock=now)
    while await applying.apply_due(asyncio.Event()):
        pass
