"""Corrections as Amberflo documents them, and events that it refuses, at once or later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update

from backend.platforms.amberflo.adapter import Amberflo
from backend.platforms.queries import replay_all
from backend.platforms.queueing.usage import collect_usage
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import rollups, usage_versions
from tests.platforms.amberflo.conftest import (
    SOME_DAY,
    compared,
    on_amberflo,
    rated_by_amberflo,
    send,
    sent,
    usage_rows,
)
from tests.platforms.conftest import Clock
from tests.support.amberflo.server import AmberfloStandIn
from tests.support.invoices import count, used

pytestmark = pytest.mark.engine


async def becomes(database: Database, bucket: datetime, quantity: str | int | None) -> None:
    """Have a quarter hour's usage counted otherwise, as a correction does."""
    quarter = bucket.replace(minute=bucket.minute // 15 * 15)
    async with database.begin() as connection:
        change = update(rollups).where(rollups.c.bucket == quarter)
        await connection.execute(change.values(quantity=Decimal(quantity or 0)))
        await connection.execute(
            usage_versions.update().values(version=usage_versions.c.version + 1)
        )


async def test_a_correction_takes_back_what_was_sent_and_sends_what_is_left(
    database: Database, settings: Settings, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    tenant = await rated_by_amberflo(database, amberflo)
    other = SOME_DAY + timedelta(hours=1)
    await count(database, [used(tenant, SOME_DAY, "10"), used(tenant, other, "7")])
    await sent(database, amberflo)
    for quantity, events in ((25, 3), ("12.5", 4), (0, 4), (3, 5), ("2.5", 6)):
        stand_in.trouble.append("lost")
        await becomes(database, SOME_DAY, quantity)
        clock = Clock()
        await sent(database, amberflo, clock)
        clock.pass_by(timedelta(hours=1))
        await send(database, amberflo, clock)
        assert on_amberflo(stand_in) == 7 + Decimal(quantity)
        assert len(stand_in.books.events.there) == events
        assert await compared(database, settings, amberflo) == []
    stand_in.trouble.clear()
    [first, *_] = usage = [
        row for row in await usage_rows(database, tenant) if row["subject"] == "input_tokens large"
    ]
    assert len({row["fact"] for row in usage}) == len(usage) == 7
    assert first["state"] == "confirmed"


async def test_what_it_found_unusable_later_is_parked_by_name_and_replayed(
    database: Database, settings: Settings, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    tenant = await rated_by_amberflo(database, amberflo)
    quarters = [SOME_DAY + timedelta(minutes=15 * step) for step in range(100)]
    await count(database, [used(tenant, quarter, "1") for quarter in quarters])
    await sent(database, amberflo)
    facts = [row["fact"] for row in await usage_rows(database, tenant)]
    lost = {facts[3], facts[50], facts[99]}
    stand_in.books.events.reject(*lost)
    differences = await compared(database, settings, amberflo)
    assert {row["cause"] for row in differences} == {"refused"}
    refused = [row for row in await usage_rows(database, tenant) if row["state"] == "refused"]
    assert {row["fact"] for row in refused} == lost
    assert "took it, and does not have it" in refused[0]["reason"]
    async with database.begin() as connection:
        assert await replay_all(connection, "amberflo", tenant.id, datetime.now(UTC)) == 3
    await send(database, amberflo)
    assert on_amberflo(stand_in) == 100
    assert await compared(database, settings, amberflo) == []


async def test_where_it_lists_no_events_it_is_known_how_much_is_missing_and_not_which(
    database: Database, settings: Settings, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    tenant = await rated_by_amberflo(database, amberflo)
    await count(
        database, [used(tenant, SOME_DAY, "1"), used(tenant, SOME_DAY, "2", "output_tokens")]
    )
    await sent(database, amberflo)
    events = stand_in.books.events
    events.listed = False
    [event] = events.there.values()
    events.reject(event.said["uniqueId"])
    [difference] = await compared(database, settings, amberflo)
    assert (difference["cause"], difference["ours"], difference["theirs"]) == (
        "counted_otherwise",
        "1",
        "0",
    )
    assert {row["state"] for row in await usage_rows(database, tenant)} == {"sent"}


async def test_what_it_refuses_is_parked_and_the_rest_goes_on(
    database: Database, settings: Settings, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    """A call is refused as a whole: its events are then sent alone, and one is parked."""
    tenant, other = [await rated_by_amberflo(database, amberflo) for _ in range(2)]
    quarters = [SOME_DAY + timedelta(minutes=15 * step) for step in range(5)]
    await count(
        database, [used(of, quarter, "1") for quarter in quarters for of in (tenant, other)]
    )
    await collect_usage(database, ["amberflo"], datetime.now(UTC))
    wrong = (await usage_rows(database, tenant))[2]["fact"]
    stand_in.books.events.refused.add(wrong)
    await send(database, amberflo)
    refused = [row for row in await usage_rows(database, tenant) if row["state"] == "refused"]
    assert [row["fact"] for row in refused] == [wrong]
    assert refused[0]["reason"] == f"Amberflo answered 400: Invalid meter event {wrong}"
    assert on_amberflo(stand_in) == 9
    assert {row["state"] for row in await usage_rows(database, other)} == {"sent"}

    # What takes it back waits for it, and both are replayed in their order
    await becomes(database, quarters[2], "0.25")
    await sent(database, amberflo)
    rows = [row for row in await usage_rows(database, tenant) if row["state"] == "refused"]
    assert "takes back more than Amberflo took" in rows[-1]["reason"]
    stand_in.books.events.refused.clear()
    async with database.begin() as connection:
        await replay_all(connection, "amberflo", tenant.id, datetime.now(UTC))
    await send(database, amberflo)
    assert on_amberflo(stand_in) == Decimal("8.5")
    assert await compared(database, settings, amberflo) == []
