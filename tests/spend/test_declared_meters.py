"""Plans that price declared meters: published examples, from events to the bill."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.catalog.published import apply_catalog
from backend.metering.counting.batches import count_events
from backend.metering.counting.corrections import Amended, CorrectionWanted, correct
from backend.metering.events import AcceptedEvent
from backend.settings import Settings
from backend.spend.queries import spend_report
from backend.spend.simulation import simulate
from backend.storage.database import Database
from backend.subscriptions.changes import change_plan, start_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.simulate import SimulationRequest
from backend_client.types.spend import SpendReport
from backend_client.types.subscriptions import SubscriptionChange
from tests.support.billing import catalog_with, make_tenant
from tests.support.invoices import (
    APRIL,
    GRACE,
    MAY,
    invoices_of,
    lines_of_invoice,
    run_invoices,
)

pytestmark = pytest.mark.engine

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
LATE = datetime(2026, 3, 31, 22, 0, tzinfo=UTC)
MIDDLE = datetime(2026, 3, 16, 12, 0, tzinfo=UTC)  # half of March is over


def charge(meter: str, price: str, **fields: Any) -> dict[str, Any]:
    of = {"id": meter.replace("_", "-"), "name": meter, "meters": [meter]}
    return {"kind": "per_unit", "price": price, "unit_size": 1} | of | fields


METERS = [
    # docs.pyannote.ai/administration/billing: 20 seconds at the least are billed of a request
    {"id": "diarized", "name": "Diarized", "of": ["seconds"], "minimum": "20"},
    # getlago.com/docs/templates/per-transaction/stripe: 2.9% + $0.30 of each card payment
    {"id": "fees", "name": "Fees", "of": ["paid"], "percent": "2.9", "fixed": "0.30"},
    # fal.ai/models/elevenlabs/music/v2.5: each output is rounded up to whole minutes
    {"id": "music", "name": "Music", "of": ["music_seconds"], "step": "60"},
    # getlago.com/docs/guide/billable-metrics/aggregation-types/aggregation-examples
    {"id": "views_max", "name": "Max", "of": ["pageviews"], "aggregation": "max"},
    {"id": "views_last", "name": "Last", "of": ["pageviews"], "aggregation": "last"},
    {"id": "visitors", "name": "Visitors", "aggregation": "unique", "label": "tracked_user"},
]
PLANS = [
    {
        "id": "free",
        "name": "Free",
        "charges": [
            charge("diarized", "0.01"),
            charge("fees", "0", kind="percentage", percent="100"),
            charge("music", "0.01"),
            charge("pageviews", "1"),
            charge("views_max", "1"),
            charge("views_last", "1"),
            charge("visitors", "1"),
        ],
    },
    {"id": "dear", "name": "Dear", "charges": [charge("views_max", "3")]},
    {"id": "none", "name": "None"},
]
for priced in PLANS[0]["charges"]:  # type: ignore[attr-defined]
    if priced["kind"] == "percentage":
        del priced["price"], priced["unit_size"]


@pytest.fixture
def settings() -> Settings:
    return Settings(seller_name="Sample seller")


@pytest.fixture
async def subscribed(database: Database) -> Tenant:
    tenant = await make_tenant(database)
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=PLANS, meters=METERS))
        await start_subscription(connection, tenant.id, "free", MARCH)
    return tenant


async def use(
    database: Database, tenant: Tenant, *used: tuple[int, str, str], **labels: str
) -> None:
    """Count events of (day of March, meter, quantity)."""
    async with database.raw() as connection:
        await count_events(connection, list(events(tenant, used, labels)))


def events(
    tenant: Tenant, used: Iterable[tuple[int, str, str]], labels: dict[str, str]
) -> Iterable[AcceptedEvent]:
    for day, meter, quantity in used:
        time = MARCH + timedelta(days=day - 1, hours=5)
        yield AcceptedEvent(
            tenant_id=tenant.id,
            source="test",
            id=f"{day} {meter} {quantity}",
            time=time,
            received_at=time,
            application_id="app_1",
            model="large",
            quantities={meter: Decimal(quantity)},
            labels=labels,
        )


async def spend(database: Database, tenant: Tenant) -> SpendReport:
    async with database.begin() as connection:
        return await spend_report(connection, tenant, LATE)


def amounts(report: SpendReport) -> dict[str, Decimal]:
    """What each charge costs; of several plans together."""
    lines: dict[str, Decimal] = {}
    for line in report.lines:
        lines[line.charge_id] = lines.get(line.charge_id, Decimal(0)) + line.amount.amount
    return lines


async def test_a_least_and_a_fee_for_each_call(database: Database, subscribed: Tenant) -> None:
    await use(database, subscribed, (2, "seconds", "8"), (3, "seconds", "20"))
    await use(database, subscribed, (4, "seconds", "182"), (5, "seconds", "0"))
    # $100 costs 3.20, and $10 costs 0.59
    await use(database, subscribed, (2, "paid", "100"), (3, "paid", "10"))
    await use(database, subscribed, (2, "music_seconds", "30"), (3, "music_seconds", "61"))
    lines = amounts(await spend(database, subscribed))
    # 20 + 20 + 182 seconds; one minute and two, at $0.60
    assert lines == {"diarized": Decimal("2.22"), "fees": Decimal("3.79"), "music": Decimal("1.80")}


async def test_the_highest_the_last_and_the_different_ones(
    database: Database, subscribed: Tenant
) -> None:
    user = {"tracked_user": "1234-5678-9098-7654"}
    await use(database, subscribed, (17, "pageviews", "20"), (16, "pageviews", "10"), **user)
    lines = amounts(await spend(database, subscribed))
    assert lines == {"pageviews": 30, "views-max": 20, "views-last": 20, "visitors": 1}
    # docs/guide/billable-metrics/aggregation-types/latest: 20 and then 10 are 10
    await use(database, subscribed, (18, "pageviews", "10"))
    lines = amounts(await spend(database, subscribed))
    assert lines == {"pageviews": 40, "views-max": 20, "views-last": 10, "visitors": 1}


async def test_a_correction_takes_the_peak_back(database: Database, subscribed: Tenant) -> None:
    await use(database, subscribed, (3, "pageviews", "7"), (4, "pageviews", "50"))
    before = await spend(database, subscribed)
    async with database.raw() as connection, connection.transaction():
        wanted = CorrectionWanted("c1", "test", "4 pageviews 50", None, "a test", "usr_a")
        await correct(connection, subscribed.id, [wanted], LATE)
    after = await spend(database, subscribed)
    assert amounts(before)["views-max"] == 50
    assert amounts(after)["views-max"] == 7
    assert after.version > before.version


@pytest.mark.parametrize("day", [2, 20])
async def test_a_change_of_plan_divides_a_peak_by_time_whenever_it_was(
    database: Database, subscribed: Tenant, day: int
) -> None:
    await use(database, subscribed, (day, "pageviews", "10"))
    async with database.begin() as connection:
        change = SubscriptionChange(plan="dear", at=MIDDLE)
        await change_plan(connection, subscribed.id, change, MIDDLE)
    lines = {
        (line.plan, line.charge_id): (line.quantity, line.amount.amount)
        for line in (await spend(database, subscribed)).lines
    }
    assert lines["free", "views-max"] == (5, 5)
    assert lines["dear", "views-max"] == (5, 15)


async def test_the_past_is_simulated_with_its_values(
    database: Database, subscribed: Tenant
) -> None:
    await use(database, subscribed, (3, "pageviews", "10"), tracked_user="u1")
    async with database.begin() as connection:
        asked = SimulationRequest.model_validate({"plans": ["free", "dear"], "past_periods": 1})
        april = datetime(2026, 4, 9, tzinfo=UTC)
        simulation = await simulate(connection, subscribed, asked, april)
    totals = {plan.plan: plan.total.amount for plan in simulation.plans}
    assert totals == {"free": 31, "dear": 30}


async def test_a_label_that_is_corrected_late_is_billed(
    database: Database, subscribed: Tenant, settings: Settings
) -> None:
    """It moves no rollup, and makes two users of one."""
    await use(database, subscribed, (3, "requests", "1"), (4, "requests", "1"), tracked_user="u1")
    await run_invoices(database, settings, APRIL + GRACE)
    async with database.raw() as connection, connection.transaction():
        data = Amended(
            application_id="app_1",
            model="large",
            quantities={"requests": Decimal(1)},
            labels={"tracked_user": "u2"},
        )
        wanted = CorrectionWanted("c1", "test", "4 requests 1", data, "a test", "usr_a")
        await correct(connection, subscribed.id, [wanted], APRIL + GRACE)
    await run_invoices(database, settings, MAY + GRACE)
    first, second = await invoices_of(database, subscribed)
    assert (first["total"], second["total"]) == (1, 1)
    [late] = await lines_of_invoice(database, subscribed, second["id"])
    assert (late["item"], late["late"]) == ("visitors", True)
