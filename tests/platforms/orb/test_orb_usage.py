"""Usage that Orb rates: a plan as prices, sums as events, both sides hour by hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from backend.platforms.comparing.verifying import connection_rows
from backend.platforms.connections import disconnect
from backend.platforms.errors import PlanDoesNotFit
from backend.platforms.orb.adapter import Orb
from backend.platforms.queueing.plan_changes import follow_plans
from backend.platforms.receiving.polling import poll
from backend.pricing.periods import billing_period
from backend.settings import Settings
from backend.storage.database import Database
from tests.platforms.conftest import Clock, dispatches, drift
from tests.platforms.orb.conftest import apply, opened, orb_settings, send
from tests.platforms.orb.rated import (
    LATELY,
    NOW,
    PERIOD,
    SOME_DAY,
    compared,
    on_orb,
    rated_by_orb,
    sent,
)
from tests.support.invoices import count, used
from tests.support.orb.server import OrbStandIn

pytestmark = pytest.mark.engine


async def test_a_plan_becomes_prices_and_its_invoice_is_ours_to_the_cent(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb
) -> None:
    tenant = await rated_by_orb(database, orb)
    books = stand_in.books
    [plan] = books.all("plan")
    assert plan["external_plan_id"] == "farebox-fitting-1-USD"
    _, tiers, bulk = plan["prices"]
    assert [
        (tier["first_unit"], tier["last_unit"], tier["unit_amount"])
        for tier in tiers["tiered_config"]["tiers"]
    ] == [(0, 1000, "0"), (1000, 1001000, "0.00001"), (1001000, None, "0.000005")]
    assert [tier["maximum_units"] for tier in bulk["bulk_config"]["tiers"]] == [2000, None]
    [subscription] = books.all("subscription")
    assert subscription["billing_cycle_anchor_configuration"] == {"day": 1}
    assert subscription["customer"]["timezone"] == "Asia/Tokyo"

    events = [used(tenant, LATELY, "100.25") for _ in range(5)]
    events += [used(tenant, LATELY, 600_000, "output_tokens"), used(tenant, SOME_DAY, 700_123)]
    await count(database, [*events, used(tenant, SOME_DAY, 1733, "requests")])
    await sent(database, orb)
    event = next(event for event in books.usage.values() if event["event_name"] == "fb_requests")
    assert event["properties"] == {"model": "large", "quantity": 1733}
    assert on_orb(stand_in) == Decimal("700624.25")
    before = len(books.usage)
    await count(database, [used(tenant, LATELY, "0.5")])  # late, and within the grace period
    await sent(database, orb)
    await sent(database, orb)
    assert len(books.usage) == before + 1
    assert await compared(database, orb, NOW + timedelta(days=1)) == []
    rows = await dispatches(database, tenant)
    assert {row["state"] for row in rows} == {"confirmed"}

    # The period is over: Orb's invoice is compared with our rating, by webhook or without
    invoice = books.invoice_period(subscription, PERIOD.start, PERIOD.end, stand_in.now)
    await apply(database, settings, orb, books.events[-1:])
    assert await drift(database) == []
    line = invoice["line_items"][1]
    invoice["total"] = str(Decimal(invoice["total"]) + 1)
    line["amount"] = str(Decimal(line["amount"]) + 1)
    [row] = await connection_rows(database, "orb", tenant.id)
    assert await poll(database, settings, orb, row, NOW) == 1
    [difference] = await drift(database)
    assert difference["cause"] == "rated_otherwise"
    assert await poll(database, settings, orb, row, NOW) == 0  # not again so soon


async def test_both_sides_are_compared_by_the_hour(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb
) -> None:
    tenant = await rated_by_orb(database, orb)
    hours = [SOME_DAY + timedelta(hours=step) for step in range(3)]
    await count(database, [used(tenant, hour, "5") for hour in hours])
    await sent(database, orb)
    first, second, _ = stand_in.books.usage.values()
    first["deprecated"] = True  # somebody does so in Orb
    second["properties"]["quantity"] = 6
    differences = await compared(database, orb, NOW + timedelta(days=1))
    assert {row["subject"]: (row["cause"], row["ours"], row["theirs"]) for row in differences} == {
        f"{hours[0]:%Y-%m-%d %H}:00 input_tokens large": ("counted_otherwise", "5", "0"),
        f"{hours[1]:%Y-%m-%d %H}:00 input_tokens large": ("counted_otherwise", "5", "6"),
    }
    states = [
        row["state"] for row in await dispatches(database, tenant) if row["stream"] == "usage"
    ]
    assert states == ["sent", "sent", "confirmed"]


async def test_only_a_plan_that_fits_goes_over_and_it_ends_where_its_period_does(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb
) -> None:
    with pytest.raises(PlanDoesNotFit, match="Charge 'input' prices all models: name them"):
        await rated_by_orb(database, orb, "paid")
    tenant = await rated_by_orb(database, orb)
    clock = Clock()
    await send(database, orb, clock)
    async with database.begin() as connection:
        await disconnect(connection, tenant.id, NOW)
    end = billing_period(NOW, "Asia/Tokyo", 1).end
    clock.pass_by(end + timedelta(hours=1) - NOW)
    await follow_plans(database, {"orb": orb}, clock())
    stand_in.trouble.append("lost")
    for _ in range(2):
        await send(database, orb, clock)
        clock.pass_by(timedelta(hours=1))
    [subscription] = stand_in.books.all("subscription")
    assert datetime.fromisoformat(subscription["end_date"]) == end
    assert {row["state"] for row in await dispatches(database, tenant)} == {"confirmed"}


async def test_a_wrong_key_is_waited_for_and_told_nowhere(
    database: Database, stand_in: OrbStandIn, orb: Orb, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = await rated_by_orb(database, orb, subscribes=False)
    wrong = orb_settings(stand_in, orb_api_key="a-key-that-is-wrong")
    async with opened(database, wrong) as adapter:
        await send(database, adapter)
    [row] = await dispatches(database, tenant)
    assert (row["state"], row["reason"]) == (
        "waiting",
        "Orb answered 401: The API key is invalid.",
    )
    written = capsys.readouterr()
    for text in (written.out, written.err, repr(wrong), str(row)):
        assert "a-key-that-is-wrong" not in text
