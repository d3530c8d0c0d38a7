"""Usage that is late, corrected, refused or lost on the way: counted once, to the last unit."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from backend.platforms.orb.adapter import Orb
from backend.platforms.queries import replay_all
from backend.platforms.queueing.usage import collect_usage
from backend.settings import Settings
from backend.storage.database import Database
from tests.platforms.conftest import Clock, dispatches
from tests.platforms.orb.conftest import apply, send
from tests.platforms.orb.rated import (
    LATELY,
    NOW,
    SOME_DAY,
    becomes,
    compared,
    on_orb,
    rated_by_orb,
    sent,
)
from tests.support.invoices import count, used
from tests.support.orb.server import OrbStandIn

pytestmark = pytest.mark.engine


async def test_what_is_late_or_corrected_is_added_amended_or_backfilled(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb
) -> None:
    tenant = await rated_by_orb(database, orb)
    books = stand_in.books
    await count(database, [used(tenant, LATELY, "10"), used(tenant, SOME_DAY, "7")])
    await sent(database, orb)
    [backfill] = books.all("backfill")  # of what was older than the grace period
    assert (backfill["status"], backfill["events_ingested"]) == ("reflected", 1)
    assert on_orb(stand_in) == 17

    await becomes(database, LATELY, "4")
    await becomes(database, SOME_DAY, "0")
    await sent(database, orb)
    assert len(books.usage) == 2
    changes = {(event["amended"], event["deprecated"]) for event in books.usage.values()}
    assert (changes, on_orb(stand_in)) == ({(True, False), (False, True)}, 4)
    await becomes(database, LATELY, "9")  # more again: an event of its own
    await becomes(database, SOME_DAY, "3")
    await sent(database, orb)
    await becomes(database, LATELY, "5.5")  # and less: the last event says it
    await sent(database, orb)
    assert (len(books.usage), on_orb(stand_in)) == (4, Decimal("8.5"))

    # The hundred changes are used up, and a period is invoiced: backfills say the rest
    [customer] = books.all("customer")
    books.changes[customer["id"], "amended"] = 100
    await becomes(database, LATELY, "2")
    books.invoiced_until = SOME_DAY + timedelta(hours=1)
    await becomes(database, SOME_DAY, "1")
    await sent(database, orb)
    assert (len(books.usage), on_orb(stand_in)) == (6, 3)
    rows = [row for row in await dispatches(database, tenant) if row["stream"] == "usage"]
    assert {row["state"] for row in rows} == {"sent"}
    # Hour by hour both sides agree
    assert await compared(database, orb, NOW + timedelta(days=1)) == []


@pytest.mark.parametrize("late", [False, True])
async def test_answers_that_are_lost_count_once(
    database: Database, stand_in: OrbStandIn, orb: Orb, late: bool
) -> None:
    tenant = await rated_by_orb(database, orb)
    at = SOME_DAY if late else LATELY - timedelta(hours=4)
    quarters = [at + timedelta(minutes=15 * step) for step in range(12)]
    await count(database, [used(tenant, quarter, "10") for quarter in quarters])
    clock = Clock()
    await collect_usage(database, ["orb"], clock())
    stand_in.trouble.extend(["lost", "500", "lost", "lost"])
    for _ in range(6):
        await send(database, orb, clock)
        clock.pass_by(timedelta(hours=1))
    assert (len(stand_in.books.usage), on_orb(stand_in)) == (12, 120)
    rows = [row for row in await dispatches(database, tenant) if row["stream"] == "usage"]
    assert {row["state"] for row in rows} == {"sent"}
    await becomes(database, quarters[0], "4")
    stand_in.trouble.append("lost")
    for _ in range(2):
        await collect_usage(database, ["orb"], clock())
        await send(database, orb, clock)
        clock.pass_by(timedelta(hours=1))
    assert (len(stand_in.books.usage), on_orb(stand_in)) == (12, 114)


async def test_a_backfill_that_somebody_else_has_open_is_waited_for(
    database: Database, stand_in: OrbStandIn, orb: Orb
) -> None:
    tenant = await rated_by_orb(database, orb)
    books = stand_in.books
    [customer] = books.all("customer")
    body = {
        "customer_id": customer["id"],
        "timeframe_start": f"{SOME_DAY - timedelta(days=1):%Y-%m-%dT%H:00:00Z}",
        "timeframe_end": f"{SOME_DAY + timedelta(days=1):%Y-%m-%dT%H:00:00Z}",
        "close_time": f"{NOW + timedelta(days=1):%Y-%m-%dT%H:00:00Z}",
    }
    other = books.post_events_backfills(body, {}, stand_in.now)
    await count(database, [used(tenant, SOME_DAY, "7")])
    await sent(database, orb)
    [*_, row] = await dispatches(database, tenant)
    assert (row["state"], row["reason"]) == (
        "waiting",
        "Another backfill of the customer's is open in Orb: this one follows it.",
    )
    assert (other["status"], len(books.usage)) == ("pending", 0)
    other["status"] = "reverted"
    clock = Clock()
    clock.pass_by(timedelta(hours=1))
    await send(database, orb, clock)
    assert on_orb(stand_in) == 7


@pytest.mark.parametrize(("names_faults", "latest"), [(True, LATELY), (False, SOME_DAY)])
async def test_what_orb_refuses_is_parked_and_the_rest_goes_on(
    database: Database,
    settings: Settings,
    stand_in: OrbStandIn,
    orb: Orb,
    names_faults: bool,
    latest: datetime,
) -> None:
    """Orb takes all events of a request or none; it may say which are at fault, or not."""
    tenant = await rated_by_orb(database, orb)
    books = stand_in.books
    books.names_faults = names_faults
    quarters = [latest - timedelta(minutes=15 * step) for step in range(9)]
    await count(database, [used(tenant, quarter, "1") for quarter in quarters])
    await collect_usage(database, ["orb"], NOW)
    rows = [row for row in await dispatches(database, tenant) if row["stream"] == "usage"]
    at_fault = {row["fact"] for row in rows[2:4]}
    books.refused_keys = at_fault
    await send(database, orb)
    rows = [row for row in await dispatches(database, tenant) if row["stream"] == "usage"]
    assert {row["fact"] for row in rows if row["state"] == "refused"} == at_fault
    assert on_orb(stand_in) == 7
    books.refused_keys = set()

    # One is taken, and matched with nobody later
    lost = next(iter(books.usage))
    books.lose_customer_of(lost, stand_in.now)
    await apply(database, settings, orb, books.events[-1:])
    differences = await compared(database, orb, NOW + timedelta(days=1))
    assert {row["cause"] for row in differences} == {"refused"}
    assert "Orb matched it with no customer." in {
        row["reason"] for row in await dispatches(database, tenant)
    }
    [customer] = books.all("customer")
    books.usage[lost]["customer_id"] = customer["id"]
    async with database.begin() as connection:
        assert await replay_all(connection, "orb", tenant.id, NOW) == 3
    await send(database, orb)
    assert (len(books.usage), on_orb(stand_in)) == (9, 9)
    assert await compared(database, orb, NOW + timedelta(days=1)) == []


async def test_a_correction_whose_answer_is_lost_is_never_added_again(
    database: Database, stand_in: OrbStandIn, orb: Orb
) -> None:
    """It was the last change that Orb allows: to backfill it then would count it twice."""
    tenant = await rated_by_orb(database, orb)
    await count(database, [used(tenant, LATELY, "10")])
    await sent(database, orb)
    [customer] = stand_in.books.all("customer")
    stand_in.books.changes[customer["id"], "amended"] = 99
    await becomes(database, LATELY, "4")
    stand_in.trouble.append("lost")
    clock = Clock()
    for _ in range(2):
        await sent(database, orb, clock)
        clock.pass_by(timedelta(hours=1))
    [*_, row] = await dispatches(database, tenant)
    assert (row["state"], on_orb(stand_in)) == ("refused", 4)
    assert row["reason"].startswith("An answer of Orb's about it was lost")
