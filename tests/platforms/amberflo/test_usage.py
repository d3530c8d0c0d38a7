"""Usage that Amberflo rates: sums once, corrections as it documents them, totals to the cent."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from backend.platforms.amberflo.adapter import Amberflo
from backend.platforms.connections import backfill, connect, disconnect, list_connections
from backend.platforms.errors import ModeNotOffered, PlanDoesNotFit
from backend.platforms.queueing.plan_changes import follow_plans
from backend.pricing.money import round_to_minor_unit
from backend.settings import Settings
from backend.spend.gathering import metered_period
from backend.storage.database import Database
from backend.subscriptions.changes import change_plan
from backend_client.types.platforms import PlatformConnect, PlatformMode
from backend_client.types.subscriptions import SubscriptionChange
from tests.platforms.amberflo.conftest import (
    LATER,
    PERIOD,
    SOME_DAY,
    amberflo_settings,
    compared,
    on_amberflo,
    opened,
    rated_by_amberflo,
    send,
    sent,
    usage_rows,
)
from tests.platforms.conftest import Clock
from tests.support.amberflo.server import AmberfloStandIn
from tests.support.billing import make_tenant
from tests.support.invoices import count, invoices_of, run_invoices, subscribed, used

pytestmark = pytest.mark.engine


async def test_a_plan_is_made_usage_is_counted_and_the_invoice_is_ours_to_the_cent(
    database: Database, settings: Settings, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    tenant = await rated_by_amberflo(database, amberflo)
    books = stand_in.books
    assert list(books.customers) == [tenant.id]
    assert list(books.meters) == ["fb-input_tokens-large"]
    [plan] = books.invoicing.plans.values()
    assert (plan["lockingStatus"], plan["feeMap"]["fee"]["cost"]) == ("close_to_changes", 20)
    [price] = books.invoicing.prices.values()
    assert price["price"]["tiers"] == [
        {"startAfterUnit": 0, "batchSize": 1000, "pricePerBatch": 0},
        {"startAfterUnit": 1000, "batchSize": 1000, "pricePerBatch": 0.01},
        {"startAfterUnit": 1001000, "batchSize": 1000, "pricePerBatch": 0.005},
    ]

    chance = random.Random(5)
    quarters = [SOME_DAY + timedelta(minutes=15 * step) for step in range(40)]
    events = [
        used(tenant, quarter, Decimal(chance.randrange(10**9)) / 10_000)
        for quarter in quarters
        for _ in range(3)
    ]
    await count(database, [*events, used(tenant, SOME_DAY, "9", "output_tokens")])
    await sent(database, amberflo)
    await sent(database, amberflo)
    assert len(books.events.there) == 40
    await count(database, [used(tenant, SOME_DAY, "0.0001")])  # late
    await sent(database, amberflo)
    assert len(books.events.there) == 41
    assert await compared(database, settings, amberflo) == []
    assert {row["state"] for row in await usage_rows(database, tenant)} == {"confirmed"}

    # The period ends: Amberflo writes its invoice, and we do not
    stand_in.ahead = LATER - datetime.now(UTC)
    await run_invoices(database, settings, LATER)
    assert await invoices_of(database, tenant) == []
    assert await compared(database, settings, amberflo, LATER) == []
    first, *_ = books.invoicing.of(tenant.id, stand_in.now)
    async with database.begin() as connection:
        ours = (await metered_period(connection, tenant, PERIOD)).rate()
    total = Decimal(str(first["totalBill"]["totalPrice"]))
    assert first["invoicePriceStatus"] == "price_locked"
    assert round_to_minor_unit(total, "USD") == round_to_minor_unit(ours.exact_total, "USD")


async def test_any_request_may_fail_and_each_event_counts_once(
    database: Database, settings: Settings, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    """From the first request on: the customer, meters, prices, the plan, and usage."""
    stand_in.trouble.extend(["lost", "500", "lost"] * 3)
    tenant = await subscribed(database, "fitting", PERIOD.start)
    wanted = PlatformConnect(platform="amberflo", mode=PlatformMode.USAGE, starts_at=PERIOD.start)
    async with database.begin() as connection:
        await connect(connection, tenant.id, wanted, amberflo, PERIOD.start)
    clock = Clock()
    async with opened(database, settings) as another:
        while not stand_in.books.invoicing.assignments:
            await send(database, amberflo, clock)
            await send(database, another, clock)
            clock.pass_by(timedelta(hours=1))
        quarters = [SOME_DAY + timedelta(minutes=15 * step) for step in range(120)]
        await count(database, [used(tenant, quarter, "10") for quarter in quarters])
        stand_in.trouble.extend(["lost", "500", "lost"])
        while stand_in.trouble or on_amberflo(stand_in) < 1200:
            await send(database, amberflo, clock)
            await sent(database, another, clock)
            clock.pass_by(timedelta(hours=1))
    await sent(database, amberflo, clock)
    books = stand_in.books
    assert (len(books.customers), len(books.meters), len(books.invoicing.assignments)) == (1, 1, 1)
    assert (len(books.events.there), on_amberflo(stand_in)) == (120, 1200)
    assert books.events.repeated
    assert await compared(database, settings, amberflo) == []


async def test_only_what_it_can_carry_goes_over_and_each_refusal_has_its_reason(
    database: Database, amberflo: Amberflo
) -> None:
    with pytest.raises(PlanDoesNotFit, match="Charge 'input' adds up several meters or models"):
        await rated_by_amberflo(database, amberflo, "paid")
    tenant = await make_tenant(database)
    for mode, why in (("usage", "begin at midnight UTC"), ("invoices", "no finished invoices")):
        wanted = PlatformConnect(platform="amberflo", mode=mode)
        async with database.begin() as connection:
            with pytest.raises(ModeNotOffered, match=why):
                await connect(connection, tenant.id, wanted, amberflo, SOME_DAY)


async def test_a_plan_that_it_can_not_carry_goes_on_with_our_invoices_and_without_it(
    database: Database, settings: Settings, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    tenant = await rated_by_amberflo(database, amberflo)
    async with database.begin() as connection:
        change = SubscriptionChange(plan="paid", at=PERIOD.end)
        await change_plan(connection, tenant.id, change, SOME_DAY)
    adapters = {"amberflo": amberflo}
    for at in (PERIOD.end - timedelta(hours=12), PERIOD.end):
        await follow_plans(database, adapters, at)
        clock = Clock()
        clock.pass_by(at - datetime.now(UTC))
        await send(database, amberflo, clock)
    [assigned] = stand_in.books.invoicing.assignments
    assert assigned["endTimeInSeconds"] == int(PERIOD.end.timestamp())
    async with database.begin() as connection:
        [connected] = await list_connections(connection, tenant.id)
    assert (connected.mode, connected.ends_at) == ("usage", PERIOD.end)


async def test_what_is_older_than_platforms_take_is_shown_and_backfilled(
    database: Database, settings: Settings, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    """Workers that were away for two months; Amberflo itself publishes no oldest age."""
    tenant = await rated_by_amberflo(database, amberflo)
    await count(database, [used(tenant, SOME_DAY, "5")])
    clock = Clock()
    clock.pass_by(timedelta(days=40))
    stand_in.ahead = clock.ahead
    await sent(database, amberflo, clock)
    assert on_amberflo(stand_in) == 0
    differences = await compared(database, settings, amberflo, clock())
    assert "outside_window" in {row["cause"] for row in differences}
    for queued in (1, 0):
        async with database.begin() as connection:
            assert await backfill(connection, tenant.id, PERIOD.start, clock()) == queued
    await send(database, amberflo, clock)
    assert on_amberflo(stand_in) == 5


async def test_a_tenant_comes_and_goes_between_periods_and_nothing_is_billed_twice(
    database: Database, settings: Settings, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    tenant = await rated_by_amberflo(database, amberflo)
    await count(database, [used(tenant, SOME_DAY, "4000")])
    await sent(database, amberflo)
    async with database.begin() as connection:
        await disconnect(connection, tenant.id, SOME_DAY)
    clock = Clock()
    clock.pass_by(LATER - datetime.now(UTC))
    stand_in.ahead = clock.ahead
    stand_in.trouble.append("lost")
    for _ in range(2):
        await send(database, amberflo, clock)
        clock.pass_by(timedelta(hours=1))
    [assigned] = stand_in.books.invoicing.assignments
    assert assigned["endTimeInSeconds"] == int(PERIOD.end.timestamp())
    await count(database, [used(tenant, PERIOD.end, "9000000")])
    await sent(database, amberflo, clock)
    assert on_amberflo(stand_in) == 4000
    following = PERIOD.end + timedelta(days=40)
    await run_invoices(database, settings, following)
    [ours] = await invoices_of(database, tenant)
    [theirs] = stand_in.books.invoicing.of(tenant.id, stand_in.now)
    assert ours["period_start"] == PERIOD.end
    assert theirs["invoiceEndTimeInSeconds"] == int(PERIOD.end.timestamp())
    assert await compared(database, settings, amberflo, clock()) == []

    # Somebody assigns the plan there again: that is no usage of ours to rate
    stand_in.books.invoicing.assignments.append(
        {**assigned, "startTimeInSeconds": assigned["endTimeInSeconds"], "relationId": "r"}
        | {"endTimeInSeconds": assigned["endTimeInSeconds"] + 86400}
    )
    differences = await compared(database, settings, amberflo, clock())
    assert [row["cause"] for row in differences] == ["billed_twice"]


async def test_what_was_changed_there_is_told_and_never_copied(
    database: Database, settings: Settings, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    tenant = await rated_by_amberflo(database, amberflo)
    await count(database, [used(tenant, SOME_DAY, "4000")])
    await sent(database, amberflo)
    stand_in.ahead = LATER - datetime.now(UTC)
    [invoice, *_] = stand_in.books.invoicing.of(tenant.id, stand_in.now)
    stand_in.books.invoicing.edited[invoice["invoiceUri"]] = -5.0
    stand_in.books.invoicing.payments[invoice["invoiceUri"]] = "FAILED"
    differences = await compared(database, settings, amberflo, LATER)
    said = {row["cause"]: (row["ours"], row["theirs"]) for row in differences}
    assert said == {
        "payment_failed": (None, "failed"),
        "rated_otherwise": ("20.03 USD", "15.03 USD"),
    }
    stand_in.books.invoicing.edited.clear()
    stand_in.books.invoicing.payments[invoice["invoiceUri"]] = "SETTLED"
    assert await compared(database, settings, amberflo, LATER) == []

    # An event that came twice by another way: by the hour it is clear where
    [event] = stand_in.books.events.there.values()
    doubled = {**event.said, "uniqueId": "by-hand"}
    stand_in.books.events.ingest([doubled], stand_in.now)
    differences = await compared(database, settings, amberflo)
    hour = f"{SOME_DAY:%Y-%m-%d %H:00} input_tokens large"
    counted = [(row["subject"], row["theirs"]) for row in differences if row["kind"] == "usage"]
    assert counted == [(hour, "8000")]


async def test_limits_are_waited_for_by_all_workers(
    database: Database, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    stand_in.absent_is_404 = True
    slow = amberflo_settings(stand_in, amberflo_requests_per_second=40)
    async with opened(database, slow) as first, opened(database, slow) as second:
        tenants = [await rated_by_amberflo(database, first) for _ in range(2)]
        await count(database, [used(tenant, SOME_DAY, "10") for tenant in tenants])
        stand_in.trouble.extend(["429"] * 2)
        clock = Clock()
        states: set[str] = set()
        while states != {"sent"}:
            await sent(database, first, clock)
            await sent(database, second, clock)
            clock.pass_by(timedelta(seconds=5))
            rows = [row for tenant in tenants for row in await usage_rows(database, tenant)]
            states = {row["state"] for row in rows}
    assert max(row["attempts"] for row in rows) == 1  # a limit is no failure
    assert on_amberflo(stand_in) == 20
