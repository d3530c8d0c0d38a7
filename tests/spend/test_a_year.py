"""A leap year of a hundred tenants: every bill is what brute force makes of it, to the cent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from backend.catalog.published import apply_catalog
from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.pricing.periods import quarter_hour_of
from backend.spend.gathering import metered_period
from backend.storage.database import Database
from backend.subscriptions.changes import start_subscription
from backend.subscriptions.periods import period_at, set_anchor
from backend_client.types.accounts import Tenant
from tests.spend.oracle import PLANS, Dice, Life, Use
from tests.spend.story import Story, act
from tests.support.billing import catalog_with, make_tenant

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

YEAR = 2028
NEW_YEAR = datetime(YEAR, 1, 1, tzinfo=UTC)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
)
TENANTS = 100


@pytest.fixture
async def lived(database: Database) -> list[tuple[Tenant, Life]]:
    """A hundred tenants that have upgraded, paused, left and come back, and used tokens."""
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=PLANS))
    lives = [await _live(database, number) for number in range(TENANTS)]
    events = [
        _event(tenant, number, use)
        for tenant, life in lives
        for number, use in enumerate(life.uses)
    ]
    # Late, out of order, in batches, and a part of it twice
    dice = Dice("order")
    shuffled = sorted(events, key=lambda _: dice.below(1 << 30))
    async with database.raw() as connection:
        for first in range(0, len(shuffled), 700):
            await count_events(connection, shuffled[max(first - 50, 0) : first + 700])
    return lives


def _event(tenant: Tenant, number: int, use: Use) -> AcceptedEvent:
    return AcceptedEvent(
        tenant_id=tenant.id,
        source="year",
        id=str(number),
        time=use.at,
        received_at=use.at,
        application_id="app_1",
        model="large",
        quantities={use.meter: Decimal(use.tokens)},
    )


async def _live(database: Database, number: int) -> tuple[Tenant, Life]:
    dice = Dice(f"tenant {number}")
    life = Life(ZONES[number % len(ZONES)], dice.one_of(1, 1, 15, 29, 30, 31))
    tenant = await make_tenant(database, time_zone=life.zone)
    now = NEW_YEAR + timedelta(minutes=dice.below(20 * 1440))
    plan = dice.one_of("free", "metered", "team", "yearly")
    async with database.begin() as connection:
        await set_anchor(connection, tenant, life.anchor, now)
        await start_subscription(connection, tenant.id, plan, now)
    story = Story(life)
    story.subscribe(quarter_hour_of(now), plan, 1)
    for _ in range(2 + dice.below(6)):
        now += timedelta(minutes=7 + dice.below(70 * 1440))
        if now >= datetime(YEAR, 12, 20, tzinfo=UTC):
            break
        await act(database, tenant, story, dice, now)
    for _ in range(40):
        life.uses.append(
            Use(
                NEW_YEAR + timedelta(seconds=dice.below(364 * 86_400)),
                dice.one_of("input_tokens", "output_tokens"),
                dice.one_of(1, 7, 99_999, 123_457, 1_000_000) + dice.below(400_000),
            )
        )
    # Where clocks change: the hours around each change of the year in this zone
    for day in ((3, 12), (3, 26), (4, 2), (10, 1), (10, 29), (11, 5), (2, 29)):
        at = datetime(YEAR, *day, tzinfo=UTC) + timedelta(minutes=dice.below(1440))
        life.uses.append(Use(at, "input_tokens", 50_000 + dice.below(9_999)))
    return tenant, life


async def test_every_bill_of_the_year_is_what_brute_force_makes_of_it(
    database: Database, lived: list[tuple[Tenant, Life]]
) -> None:
    wrong: list[object] = []
    asked = given_back = renewed = Fraction(0)
    for tenant, life in lived:
        periods = life.periods(YEAR)
        if life.at(periods[-1][1]).plan == "yearly":
            periods += life.periods(YEAR + 1)  # in which its year begins again
        for start, end in periods:
            async with database.begin() as connection:
                period = await period_at(connection, tenant, start + (end - start) / 2)
                assert (period.start, period.end) == (start, end), (life.zone, life.anchor)
                rated = (await metered_period(connection, tenant, period)).rate()
            by_hand = life.bill(start, end)
            asked += max(by_hand, Fraction(0))
            given_back += min(by_hand, Fraction(0))
            renewed += by_hand if start.year > YEAR else 0
            if Fraction(rated.total) != by_hand:
                wrong.append(
                    (tenant.id, life.zone, life.anchor, start, rated.total, float(by_hand))
                )
    assert wrong == []
    assert asked > 10_000  # the tenants did something
    assert given_back < -5_000
    assert renewed > 5_000
