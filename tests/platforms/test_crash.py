"""A sender that is killed between Stripe's answer and its own commit makes nothing twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.platforms.stripe.adapter import Stripe
from backend.settings import Settings
from backend.storage.database import Database
from tests.platforms.conftest import VAT, dispatches, issued, on_stripe
from tests.platforms.senders import Senders, started
from tests.support.stripe.server import KEY, StripeStandIn
from tests.support.waiting import until

pytestmark = [pytest.mark.crash, pytest.mark.timeout(900)]

KILLS = 50


@pytest.fixture
def senders(database: Database, stand_in: StripeStandIn, tmp_path: Path) -> Iterator[Senders]:
    environment = {
        "DATABASE_URL": database.url,
        "FAREBOX_HOME": str(tmp_path),
        "FAREBOX_STRIPE_URL": stand_in.url,
        "FAREBOX_STRIPE_SECRET_KEY": KEY,
        "FAREBOX_STRIPE_REQUESTS_PER_SECOND": "100",
        "FAREBOX_LOG_LEVEL": "ERROR",
    }
    with started(environment) as senders:
        yield senders


async def test_killed_fifty_times_and_each_invoice_is_there_once(
    database: Database,
    settings: Settings,
    stand_in: StripeStandIn,
    stripe: Stripe,
    senders: Senders,
) -> None:
    tenants = [await on_stripe(database, stripe) for _ in range(3)]
    amounts = {}
    for tenant in tenants:
        for month in range(1, 11):
            lines = ["10.00", f"{month}.50"]
            invoice_id = await issued(database, settings, tenant, lines, [VAT], month=month)
            amounts[invoice_id] = month
    chance = random.Random(7)

    async def all_there() -> bool:
        rows = [row for tenant in tenants for row in await dispatches(database, tenant)]
        return {row["state"] for row in rows} == {"confirmed"}

    for _ in range(KILLS):
        done = len(stand_in.asked)
        wanted = done + chance.randint(1, 4)
        with senders.sender():

            async def answered(wanted: int = wanted) -> bool:
                return len(stand_in.asked) >= wanted or await all_there()

            await until(answered, seconds=240, pause=0.005)
    with senders.sender():
        await until(all_there, seconds=240)
    invoices = stand_in.books.all("invoice")
    there = Counter(invoice["metadata"]["farebox_id"] for invoice in invoices)
    assert there == Counter(list(amounts))
    assert len(stand_in.books.all("customer")) == len(tenants)
    for invoice in invoices:
        month = amounts[invoice["metadata"]["farebox_id"]]
        assert (invoice["status"], len(invoice["lines"]["data"])) == ("open", 2)
        assert invoice["subtotal"] == 1000 + month * 100 + 50
