"""Credit that Amberflo collects and draws, and invoices that it says are ready."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from backend.platforms.amberflo.adapter import Amberflo
from backend.platforms.paying import method_link, top_up_link
from backend.platforms.queries import list_remote_objects
from backend.platforms.receiving.applying import Applying
from backend.platforms.receiving.inbox import store_message
from backend.platforms.receiving.polling import poll_due
from backend.settings import Settings
from backend.storage.database import Database
from backend.wallets.queries import set_wallet, wallet_balance
from backend.wallets.top_ups import ask_for_top_up, find_top_up, refresh_and_check
from backend_client.types.wallets import TopUpCreate, WalletSettings
from tests.platforms.amberflo.conftest import (
    LATER,
    PERIOD,
    SOME_DAY,
    compared,
    rated_by_amberflo,
    send,
    sent,
)
from tests.platforms.conftest import Clock
from tests.support.amberflo.server import WEBHOOK_SECRET, AmberfloStandIn
from tests.support.invoices import count, used

pytestmark = pytest.mark.engine

FAR = PERIOD.end + timedelta(days=99)


async def test_credit_is_ordered_collected_drawn_and_the_same_here(
    database: Database, settings: Settings, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    tenant = await rated_by_amberflo(database, amberflo)
    rule = WalletSettings(top_up={"threshold": "5", "amount": "12.50", "daily_ceiling": "50"})
    async with database.begin() as connection:
        await set_wallet(connection, tenant.id, rule)
        await refresh_and_check(connection, tenant.id, SOME_DAY)
    stand_in.trouble.append("lost")
    clock = Clock()
    for _ in range(2):
        await send(database, amberflo, clock)
        clock.pass_by(timedelta(hours=1))
    [order] = stand_in.books.invoicing.orders.values()
    assert (order["prepaidPrice"], order["originalWorth"]) == (12.5, 12.5)
    assert order["externalPayment"] is False

    async def balance() -> Decimal:
        async with database.begin() as connection:
            return (await wallet_balance(connection, tenant, FAR)).available

    soon = SOME_DAY + timedelta(hours=12)
    assert await compared(database, settings, amberflo, soon) == []
    assert await balance() == 0
    stand_in.books.settle(order["id"])
    for _ in range(2):
        assert await compared(database, settings, amberflo, soon) == []
        assert await balance() == Decimal("12.50")

    # The invoice becomes final: what it drew is drawn here, once
    stand_in.ahead = LATER - datetime.now(UTC)
    for _ in range(2):
        assert await compared(database, settings, amberflo, LATER) == []
        assert await balance() == 0


async def test_a_person_pays_on_amberflos_pages_and_a_failed_payment_is_told(
    database: Database, settings: Settings, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    tenant = await rated_by_amberflo(database, amberflo)
    adapters = {"amberflo": amberflo}
    page = f"https://portal.amberflo.test/{tenant.id}"
    assert (await method_link(database, settings, adapters, tenant.id)).url == page
    async with database.begin() as connection:
        top_up = await ask_for_top_up(
            connection, tenant.id, TopUpCreate(amount="40"), datetime.now(UTC)
        )
    for _ in range(2):
        link = await top_up_link(database, settings, adapters, tenant.id, top_up.id)
        assert link.url == page
    [order] = stand_in.books.invoicing.orders.values()
    assert order["id"] == top_up.id
    stand_in.books.settle(top_up.id, "failed")
    stop = asyncio.Event()
    taken = [
        await poll_due(database, settings, adapters, datetime.now(UTC), stop) for _ in range(2)
    ]
    assert (taken[0] > 0, taken[1]) == (True, 0)  # it is another worker's turn, or nobody's
    async with database.begin() as connection:
        assert (await find_top_up(connection, tenant.id, top_up.id)).state == "failed"


async def test_a_webhook_has_an_invoice_looked_at_once(
    database: Database, settings: Settings, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    tenant = await rated_by_amberflo(database, amberflo)
    await count(database, [used(tenant, SOME_DAY, "4000")])
    await sent(database, amberflo)
    stand_in.ahead = LATER - datetime.now(UTC)
    [invoice, *_] = stand_in.books.invoicing.of(tenant.id, stand_in.now)
    said = {
        "topic": "ready-product-invoices",
        "eventTime": int(LATER.timestamp() * 1000),
        "eventId": "1bf92cf0-1d99-11ed-90a2-4fb51c754f3b",
        "data": invoice,
    }
    for _ in range(3):
        message = amberflo.verify({"x-auth": WEBHOOK_SECRET}, json.dumps(said).encode(), LATER)
        async with database.begin() as connection:
            await store_message(connection, "amberflo", message, LATER)
    applying = Applying(database, settings, {"amberflo": amberflo}, clock=lambda: LATER)
    assert [await applying.apply_due(asyncio.Event()) for _ in range(2)] == [1, 0]
    async with database.begin() as connection:
        there = await list_remote_objects(connection, tenant.id, cursor=None, limit=50)
    [kept] = [of for of in there.items if of.kind == "period_invoice"]
    assert kept.own_id == f"{int(PERIOD.start.timestamp())}"
    assert kept.remote_id == invoice["invoiceUri"]
    assert kept.state == {
        "start": PERIOD.start.isoformat(),
        "end": PERIOD.end.isoformat(),
        "currency": "USD",
        "total": "20.03",
        "prepaid": "0",
        "status": "price_locked",
        "payment": "pending",
    }
    remote = await amberflo.read_invoice(kept.remote_id)
    assert (remote.total, remote.remaining) == (Decimal("20.03"), Decimal("20.03"))
