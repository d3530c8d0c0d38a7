"""A sender that is killed between Orb's answer and its own commit makes nothing twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from backend.platforms.orb.adapter import Orb
from backend.platforms.queueing.usage import collect_usage
from backend.settings import Settings
from backend.storage.database import Database
from tests.platforms.conftest import VAT, dispatches, issued
from tests.platforms.orb.conftest import on_orb
from tests.platforms.orb.rated import rated_by_orb
from tests.platforms.senders import Senders, started
from tests.support.invoices import count, used
from tests.support.orb.server import KEY, OrbStandIn
from tests.support.waiting import until

pytestmark = pytest.mark.crash

KILLS = 12


@pytest.fixture
def senders(database: Database, stand_in: OrbStandIn, tmp_path: Path) -> Iterator[Senders]:
    environment = {
        "DATABASE_URL": database.url,
        "FAREBOX_HOME": str(tmp_path),
        "FAREBOX_ORB_URL": stand_in.url,
        "FAREBOX_ORB_API_KEY": KEY,
        "FAREBOX_ORB_REQUESTS_PER_SECOND": "100",
        "FAREBOX_LOG_LEVEL": "ERROR",
    }
    with started(environment) as senders:
        yield senders


async def test_killed_again_and_again_and_all_is_there_once(
    database: Database,
    settings: Settings,
    stand_in: OrbStandIn,
    orb: Orb,
    senders: Senders,
) -> None:
    """Invoices of two tenants, and the usage of a third, of lately and older."""
    rated = await rated_by_orb(database, orb)
    tenants = [await on_orb(database, orb) for _ in range(2)]
    ids = [
        await issued(database, settings, tenant, ["10.00", f"{month}.50"], [VAT], month=month)
        for tenant in tenants
        for month in range(1, 4)
    ]
    now = datetime.now(UTC)
    recent = [now - timedelta(hours=2, minutes=15 * step) for step in range(8)]
    older = [moment - timedelta(days=2) for moment in recent]
    ours, chance = Decimal(80), random.Random(7)

    async def all_there() -> bool:
        rows = [row for tenant in (*tenants, rated) for row in await dispatches(database, tenant)]
        return {row["state"] for row in rows} <= {"confirmed", "sent"} and on_orb_now() == ours

    def on_orb_now() -> Decimal:
        events = [event for event in stand_in.books.usage.values() if not event["deprecated"]]
        return sum((Decimal(str(of["properties"]["quantity"])) for of in events), Decimal(0))

    await count(database, [used(rated, moment, "5") for moment in (*recent, *older)])
    await collect_usage(database, ["orb"], now)
    for _ in range(KILLS):
        wanted = len(stand_in.asked) + chance.randint(1, 6)
        with senders.sender():

            async def answered(wanted: int = wanted) -> bool:
                return len(stand_in.asked) >= wanted or await all_there()

            await until(answered, seconds=60, pause=0.005)
    with senders.sender():
        await until(all_there, seconds=120)
    invoices = stand_in.books.all("invoice")
    assert Counter(invoice["metadata"]["farebox_id"] for invoice in invoices) == Counter(ids)
    assert {invoice["status"] for invoice in invoices} == {"issued"}
    assert len(stand_in.books.all("customer")) == 3
    for kind, times in (("item", 3), ("plan", 1), ("subscription", 1)):
        assert len(stand_in.books.all(kind)) == times
    assert len(stand_in.books.usage) == 16
