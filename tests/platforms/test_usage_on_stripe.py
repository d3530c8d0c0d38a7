"""Usage that Stripe rates: sums once, corrections as differences, nothing billed here as well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, select

from backend.catalog.published import apply_catalog
from backend.platforms.comparing.verifying import connection_rows, verify
from backend.platforms.connections import connect, disconnect
from backend.platforms.errors import PlanDoesNotFit, PlatformCutOver
from backend.platforms.queries import replay_all
from backend.platforms.queueing.usage import collect_usage
from backend.platforms.sending.dispatches import clear_up_usage
from backend.platforms.stripe.adapter import Stripe
from backend.pricing.periods import billing_period
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import platform_connections, rollups, usage_versions
from backend.subscriptions.changes import change_plan
from backend_client.types.accounts import Tenant
from backend_client.types.platforms import PlatformConnect, PlatformMode
from backend_client.types.subscriptions import SubscriptionChange
from tests.platforms.conftest import Clock, apply, dispatches, drift, opened, send, stripe_settings
from tests.support.billing import catalog_with
from tests.support.invoices import count, invoices_of, run_invoices, subscribed, used
from tests.support.stripe.server import StripeStandIn

pytestmark = pytest.mark.engine

SOME_DAY = (datetime.now(UTC) - timedelta(days=3)).replace(minute=5, second=0, microsecond=0)
PERIOD = billing_period(SOME_DAY, "UTC", 1)

PLAN = {
    "id": "fitting",
    "name": "Fitting",
    "charges": [
        {"id": "fee", "name": "Fee", "kind": "flat", "price": "20"},
        {
            "id": "input",
            "name": "Input",
            "kind": "graduated",
            "meters": ["input_tokens"],
            "models": ["large"],
            "included": "1000",
            "tiers": [{"up_to": "1000000", "price": "10"}, {"up_to": None, "price": "5"}],
        },
    ],
}


@pytest.fixture(autouse=True)
async def catalog_of_every_test(database: Database) -> None:
    catalog = catalog_with()
    document = catalog.model_dump(mode="json")
    document["plans"].append(PLAN)
    async with database.begin() as connection:
        await apply_catalog(connection, type(catalog).model_validate(document))


async def rated_by_stripe(database: Database, stripe: Stripe, plan: str = "fitting") -> Tenant:
    """A tenant whose usage Stripe has rated since the present period began."""
    tenant = await subscribed(database, plan, PERIOD.start)
    wanted = PlatformConnect(platform="stripe", mode=PlatformMode.USAGE, starts_at=PERIOD.start)
    async with database.begin() as connection:
        await connect(connection, tenant.id, wanted, stripe, PERIOD.start)
    return tenant


async def sent(database: Database, stripe: Stripe, clock: Clock | None = None) -> None:
    await collect_usage(database, ["stripe"], (clock or Clock())())
    await send(database, stripe, clock)


def on_stripe(stand_in: StripeStandIn) -> Decimal:
    books = stand_in.books
    gone = books.cancelled | books.unusable
    return sum(
        (
            Decimal(event["payload"]["value"])
            for identifier, event in books.meter_events.items()
            if identifier not in gone
        ),
        Decimal(0),
    )


async def compared(database: Database, stripe: Stripe, at: datetime) -> list[dict[str, Any]]:
    for row in await connection_rows(database, "stripe", None):
        await verify(database, stripe, row, at)
    return await drift(database)


async def test_a_plan_becomes_prices_and_usage_becomes_sums(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe
) -> None:
    tenant = await rated_by_stripe(database, stripe)
    await send(database, stripe)
    books = stand_in.books
    [meter] = books.all("billing.meter")
    assert meter["event_name"] == "fb_input_tokens_large"
    fee, tiers = books.all("price")
    assert (fee["unit_amount_decimal"], fee["recurring"]["interval"]) == ("2000", "month")
    assert tiers["recurring"] == {
        "interval": "month",
        "usage_type": "metered",
        "meter": meter["id"],
    }
    assert [(tier["up_to"], tier["unit_amount_decimal"]) for tier in tiers["tiers"]] == [
        (1000, "0"),
        (1001000, "0.001"),
        ("inf", "0.0005"),
    ]
    [subscription] = books.all("subscription")
    assert [item["price"] for item in subscription["items"]] == [fee["id"], tiers["id"]]

    events = [used(tenant, SOME_DAY, "100") for _ in range(5)]
    await count(database, [*events, used(tenant, SOME_DAY, "9", "output_tokens")])
    await sent(database, stripe)
    assert (len(books.meter_events), on_stripe(stand_in)) == (1, 500)
    await sent(database, stripe)
    assert len(books.meter_events) == 1

    await count(database, [used(tenant, SOME_DAY, "0.5")])  # late
    await sent(database, stripe)
    assert (len(books.meter_events), on_stripe(stand_in)) == (2, Decimal("500.5"))
    assert await compared(database, stripe, datetime.now(UTC) + timedelta(days=1)) == []
    states = {row["state"] for row in await dispatches(database, tenant)}
    assert states == {"confirmed"}

    async with database.begin() as connection:
        await change_plan(
            connection, tenant.id, SubscriptionChange(plan="paid", at=PERIOD.end), SOME_DAY
        )
    later = PERIOD.end + timedelta(hours=3)
    assert [row["cause"] for row in await compared(database, stripe, later)] == ["plan_changed"]

    async with database.begin() as connection:
        assert await clear_up_usage(connection, datetime.now(UTC) + timedelta(days=59)) == 0
        assert await clear_up_usage(connection, datetime.now(UTC) + timedelta(days=62)) == 2
    later = datetime.now(UTC) + timedelta(days=62)
    assert [row["cause"] for row in await compared(database, stripe, later)] == ["plan_changed"]

    # The period ends: Stripe invoices it, and we do not; what came late neither
    await run_invoices(database, settings, PERIOD.end + timedelta(hours=25))
    assert await invoices_of(database, tenant) == []
    async with database.begin() as connection:
        await disconnect(connection, tenant.id, PERIOD.end)
    await count(database, [used(tenant, SOME_DAY, "7"), used(tenant, PERIOD.end, "1000")])
    following = billing_period(PERIOD.end, "UTC", 1)
    await run_invoices(database, settings, following.end + timedelta(hours=25))
    [ours] = await invoices_of(database, tenant)
    assert ours["period_start"] == PERIOD.end


@pytest.mark.parametrize("how", ["single", "stream"])
async def test_an_answer_that_is_lost_counts_once(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, how: str
) -> None:
    tenant = await rated_by_stripe(database, stripe)
    await send(database, stripe)
    hours = [SOME_DAY + timedelta(minutes=15 * step) for step in range(30)]
    await count(database, [used(tenant, hour, "10") for hour in hours])
    clock = Clock()
    async with opened(database, stripe_settings(stand_in, stripe_meter_events=how)) as adapter:
        await collect_usage(database, ["stripe"], clock())
        stand_in.trouble.extend(["lost", "429", "lost"] if how == "single" else ["lost", "lost"])
        for _ in range(4):
            await send(database, adapter, clock)
            clock.pass_by(timedelta(hours=1))
    assert (len(stand_in.books.meter_events), on_stripe(stand_in)) == (30, 300)
    rows = [row for row in await dispatches(database, tenant) if row["stream"] == "usage"]
    assert {row["state"] for row in rows} == {"sent"}


async def test_what_becomes_nothing_is_cancelled_within_a_day_and_subtracted_later(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe
) -> None:
    tenant = await rated_by_stripe(database, stripe)
    await send(database, stripe)
    first, second = SOME_DAY, SOME_DAY + timedelta(hours=1)
    await count(database, [used(tenant, first, "10"), used(tenant, second, "20")])
    await sent(database, stripe)

    async def forget(bucket: datetime) -> None:
        quarter = bucket.replace(minute=bucket.minute // 15 * 15)
        async with database.begin() as connection:
            await connection.execute(delete(rollups).where(rollups.c.bucket == quarter))
            await connection.execute(
                usage_versions.update().values(version=usage_versions.c.version + 1)
            )

    await forget(first)
    await sent(database, stripe)
    assert (len(stand_in.books.cancelled), len(stand_in.books.meter_events)) == (1, 2)
    await forget(second)
    later = Clock()
    later.pass_by(timedelta(hours=25))
    stand_in.behind = timedelta(hours=25)
    await collect_usage(database, ["stripe"], later())
    await send(database, stripe, later)
    assert (len(stand_in.books.meter_events), on_stripe(stand_in)) == (3, 0)


async def test_what_is_rejected_later_is_shown_and_replayable(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe
) -> None:
    tenant = await rated_by_stripe(database, stripe)
    await send(database, stripe)
    quarters = [SOME_DAY + timedelta(minutes=15 * step) for step in range(20)]
    await count(database, [used(tenant, quarter, "1") for quarter in quarters])
    await collect_usage(database, ["stripe"], datetime.now(UTC))
    await send(database, stripe, Clock())
    rejected = list(stand_in.books.meter_events)[:3]
    event = stand_in.books.reject(*rejected, now=stand_in.now)
    await apply(database, settings, stripe, [event])
    rows = [row for row in await dispatches(database, tenant) if row["stream"] == "usage"]
    assert [row["fact"] for row in rows if row["state"] == "refused"] == rejected
    differences = await compared(database, stripe, datetime.now(UTC) + timedelta(days=2))
    assert {row["cause"] for row in differences} == {"refused"}
    assert "3 were refused: No customer" in " ".join(row["detail"] for row in differences)
    stand_in.books.unusable.clear()
    stand_in.behind = timedelta(hours=25)  # Stripe takes their identifiers again
    async with database.begin() as connection:
        assert await replay_all(connection, "stripe", tenant.id, datetime.now(UTC)) == 3
    await send(database, stripe)
    assert (len(stand_in.books.meter_events), on_stripe(stand_in)) == (20, 20)
    assert await compared(database, stripe, datetime.now(UTC) + timedelta(days=2)) == []


async def test_what_is_too_old_for_stripe_is_not_sent_and_shows_as_drift(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe
) -> None:
    now = datetime.now(UTC)
    since = billing_period(now - timedelta(days=70), "UTC", 1).start
    tenant = await subscribed(database, "fitting", since)
    wanted = PlatformConnect(platform="stripe", mode=PlatformMode.USAGE, starts_at=since)
    async with database.begin() as connection:
        await connect(connection, tenant.id, wanted, stripe, since)
    await send(database, stripe)
    await count(
        database, [used(tenant, now - timedelta(days=36), "7"), used(tenant, SOME_DAY, "100")]
    )
    await sent(database, stripe)
    assert (len(stand_in.books.meter_events), on_stripe(stand_in)) == (1, 100)
    [difference] = await compared(database, stripe, now)
    assert (difference["cause"], difference["ours"]) == ("outside_window", "7")


async def test_only_a_plan_that_fits_goes_over_and_only_between_periods(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe
) -> None:
    with pytest.raises(PlanDoesNotFit, match="Charge 'input' adds up several meters or models"):
        await rated_by_stripe(database, stripe, "paid")
    tenant = await rated_by_stripe(database, stripe)
    back = PlatformConnect(platform="stripe")
    async with database.begin() as connection:
        with pytest.raises(PlatformCutOver, match="where a billing period begins: next at"):
            await connect(connection, tenant.id, back, stripe, PERIOD.start + timedelta(days=1))
    at_the_end = back.model_copy(update={"starts_at": PERIOD.end})
    async with database.begin() as connection:
        await connect(connection, tenant.id, at_the_end, stripe, PERIOD.end - timedelta(hours=1))
        rows = (
            await connection.execute(
                select(platform_connections.c.mode, platform_connections.c.ends_at).order_by(
                    platform_connections.c.starts_at
                )
            )
        ).all()
    assert [tuple(row) for row in rows] == [("usage", PERIOD.end), ("invoices", None)]
