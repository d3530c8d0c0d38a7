"""Whatever is killed under load, each acknowledged event is counted once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from backend.accounts.applications import list_applications
from backend.accounts.tenants import create_tenant
from backend.metering.counting.daily import day_of
from backend.metering.counting.rebuild import rebuild_usage
from backend.metering.events import bucket_start
from backend.storage.database import Database
from backend_client.types.accounts import TenantCreate
from tests.crash.sender import Event, RetryingSender
from tests.support.installation import CrashableInstallation
from tests.support.operators import operator_secret
from tests.support.waiting import until

pytestmark = [pytest.mark.crash, pytest.mark.timeout(900)]

EVENTS = 10_000
BATCH = 50
ZONE = "Asia/Kathmandu"
LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
# After how many acknowledged events each process is killed, with the rest still to come
KILLS = {"worker": 1_500, "nats": 3_000, "postgres": 4_500, "api": 6_000}


async def tenant_and_credential(database_url: str) -> tuple[str, str, str]:
    """A tenant, its application, and an operator's key to write for it."""
    database = Database(database_url, pool_size=1)
    async with database.begin() as connection:
        wanted = TenantCreate(name="Sample", slug="sample", time_zone=ZONE)
        tenant = await create_tenant(connection, wanted)
        page = await list_applications(connection, tenant.id, cursor=None, limit=1)
        secret = await operator_secret(connection, "crash test")
    await database.close()
    return tenant.id, page.items[0].id, secret


def batches(tenant: str, application: str, now: datetime) -> list[list[Event]]:
    """10,000 events of the last hours, each with quantities of its own."""
    events = [
        {
            "specversion": "1.0",
            "id": str(number),
            "source": "crash-test",
            "type": "ai.usage",
            "subject": tenant,
            "time": (now - timedelta(seconds=number)).isoformat(),
            "data": {
                "application": application,
                "model": f"model-{number % 3}",
                "quantities": {"requests": 1, "input_tokens": number, "audio_seconds": "0.001"},
            },
        }
        for number in range(EVENTS)
    ]
    return [events[start : start + BATCH] for start in range(0, EVENTS, BATCH)]


def rollups_by_hand(events: list[Event]) -> dict[tuple[datetime, str, str], tuple[Decimal, int]]:
    """The sums that the acknowledged events must have made."""
    sums: defaultdict[tuple[datetime, str, str], Decimal] = defaultdict(Decimal)
    counts: Counter[tuple[datetime, str, str]] = Counter()
    for event in events:
        bucket = bucket_start(datetime.fromisoformat(event["time"]))
        for meter, quantity in event["data"]["quantities"].items():
            place = (bucket, event["data"]["model"], meter)
            sums[place] += Decimal(quantity)
            counts[place] += 1
    return {place: (sums[place], counts[place]) for place in sums}


def correction(application: str, number: int) -> dict[str, Any]:
    """Void each 200th event; amend those between."""
    wanted = {
        "id": f"correction-{number}",
        "event": {"source": "crash-test", "id": str(number)},
        "action": "void",
        "reason": "crash test",
    }
    if number % 200 == 0:
        return wanted
    data = {"application": application, "model": "amended", "quantities": {"images": number}}
    return wanted | {"action": "amend", "data": data}


def as_corrected(events: list[Event]) -> list[Event]:
    """The events as they must count once every correction is made."""
    corrected = []
    for event in events:
        number = int(event["id"])
        change = correction(event["data"]["application"], number)
        if number % 100:
            corrected.append(event)
        elif change["action"] == "amend":
            corrected.append(event | {"data": change["data"]})
    return corrected


async def until_counted(database_url: str, count: int) -> None:
    """Return once this many events are counted."""
    connection = await asyncpg.connect(database_url)

    async def all_counted() -> bool:
        return bool(await connection.fetchval("SELECT count(*) FROM events") >= count)

    try:
        await until(all_counted, seconds=240)
    finally:
        await connection.close()


async def rebuild_for_ever(database_url: str, tenant: str) -> None:
    """Compare rollups with events over and over: they agree at every moment, whatever is killed."""

    async def never() -> bool:
        with suppress(OSError, *LOST):
            connection = await asyncpg.connect(database_url)
            try:
                wrong = [day.wrong async for day in rebuild_usage(connection, tenant)]
                assert sum(wrong) == 0
            finally:
                connection.terminate()
        return False

    await until(never, seconds=900)


Sums = dict[tuple[datetime, str, str], tuple[Decimal, int]]


def by_day(sums: Sums) -> Sums:
    """The sums of quarter hours as sums of the tenant's days."""
    days: Sums = {}
    for (bucket, model, meter), (quantity, count) in sums.items():
        place = (day_of(bucket, ZONE), model, meter)
        sums_so_far = days.get(place, (Decimal(0), 0))
        days[place] = (sums_so_far[0] + quantity, sums_so_far[1] + count)
    return days


async def stored_sums(connection: asyncpg.Connection, query: str) -> Sums:
    return {tuple(row)[:3]: tuple(row)[3:] for row in await connection.fetch(query)}


QUARTERS = """
SELECT bucket, model, meter, sum(quantity), sum(event_count)::int FROM rollups GROUP BY 1, 2, 3
"""
DAYS = """
SELECT day, model, meter, sum(quantity), sum(event_count)::int FROM daily_rollups GROUP BY 1, 2, 3
"""


async def test_what_was_acknowledged_is_counted_once_whatever_is_killed(
    installation: CrashableInstallation,
) -> None:
    tenant, application, secret = await tenant_and_credential(installation.database_url)
    sender = RetryingSender(installation.api_url, secret)
    sent = batches(tenant, application, datetime.now(UTC))

    async def kill_one_after_another() -> None:
        for name, after in KILLS.items():
            await sender.has_sent(after)
            installation.kill(name)
            installation.restart(name)

    async def correct_meanwhile() -> None:
        """Void or amend every hundredth event, whether it was counted yet or not."""
        for number in range(0, EVENTS, 100):
            await sender.has_sent(number)
            await sender.correct(tenant, correction(application, number))

    async with asyncio.TaskGroup() as group:
        background = [
            group.create_task(rebuild_for_ever(installation.database_url, tenant)),
            # One that starts while PostgreSQL recovers gives up, and is started again
            group.create_task(installation.supervise()),
        ]
        async with asyncio.TaskGroup() as work:
            work.create_task(sender.send(sent))
            work.create_task(sender.repeat(random.Random(7), BATCH, EVENTS))
            work.create_task(kill_one_after_another())
            work.create_task(correct_meanwhile())
        await until_counted(installation.database_url, EVENTS)
        for task in background:
            task.cancel()
    assert len(sender.acknowledged) == EVENTS
    assert sender.attempts > len(sent)
    assert sender.repeated == EVENTS

    # Everything once more, months late by its own account and with more in it: nothing is new
    months_ago = (datetime.now(UTC) - timedelta(days=200)).isoformat()
    for batch in sent[::10]:
        again = [event | {"time": months_ago, "data": inflated(event["data"])} for event in batch]
        assert (await sender.verdict(again))["duplicates"] == len(batch)
    await sender.close()

    connection = await asyncpg.connect(installation.database_url)
    stored = await connection.fetch("SELECT source, id FROM events")
    expected = rollups_by_hand(as_corrected(sender.acknowledged))
    assert sorted(int(row["id"]) for row in stored) == list(range(EVENTS))
    assert await stored_sums(connection, QUARTERS) == expected
    assert await stored_sums(connection, DAYS) == by_day(expected)
    await connection.close()


def inflated(data: dict[str, Any]) -> dict[str, Any]:
    return data | {"quantities": dict.fromkeys(data["quantities"], 10**9)}
