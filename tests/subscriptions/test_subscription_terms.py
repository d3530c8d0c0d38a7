"""Trials, pauses, seats, add-ons, ends and anchors, as they come out on the bill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.accounts.principal import COMMAND_LINE
from backend.catalog.published import apply_catalog
from backend.errors import Conflict, InvalidInput, NotFound
from backend.pricing.periods import billing_period
from backend.quotas.use import current_quotas
from backend.settings import Settings
from backend.spend.queries import spend_report
from backend.storage.database import Database
from backend.subscriptions.changes import (
    cancel,
    change_plan,
    pause,
    resume,
    start_subscription,
)
from backend.subscriptions.errors import (
    SubscriptionAlreadyPaused,
    SubscriptionNotPaused,
    SubscriptionPaused,
)
from backend.subscriptions.opening import open_tenant
from backend.subscriptions.periods import period_at, set_anchor
from backend.subscriptions.queries import current_subscription
from backend.subscriptions.stretches import plan_stretches
from backend_client.types.accounts import Tenant, TenantCreate
from backend_client.types.catalog import Catalog
from backend_client.types.subscriptions import (
    Subscription,
    SubscriptionCancel,
    SubscriptionChange,
    SubscriptionPause,
    SubscriptionState,
)
from tests.support.billing import add_usage, catalog_with, make_tenant
from tests.support.examples import examples

pytestmark = pytest.mark.engine

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
QUARTER = timedelta(minutes=15)
FEE = {"id": "fee", "name": "Fee", "kind": "flat", "price": "31"}
SEATS = {"id": "seats", "name": "Seats", "kind": "flat", "per": "seat", "price": "3.10"}
HELP = {"id": "help", "name": "Help", "kind": "flat", "per": "add_on", "price": "6.20"}


@pytest.fixture
async def applied(database: Database) -> Catalog:
    plans = [
        {"id": "free", "name": "Free"},
        {"id": "team", "name": "Team", "charges": [FEE, SEATS, HELP]},
        {"id": "try", "name": "Try", "charges": [FEE], "trial_days": 10},
        {"id": "taste", "name": "Taste", "charges": [FEE], "trial_days": 10, "trial_ends": True},
        {"id": "dear", "name": "Dear", "charges": [FEE | {"price": "310"}]},
    ]
    catalog = catalog_with(plans=plans)
    async with database.begin() as connection:
        await apply_catalog(connection, catalog)
    return catalog


async def start(database: Database, tenant: Tenant, plan: str, at: datetime = MARCH) -> None:
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, plan, at)


async def change(database: Database, tenant: Tenant, now: datetime, **wanted) -> Subscription:
    async with database.begin() as connection:
        return await change_plan(connection, tenant.id, SubscriptionChange(**wanted), now)


async def current(database: Database, tenant: Tenant, now: datetime) -> Subscription:
    async with database.begin() as connection:
        return await current_subscription(connection, tenant.id, now)


async def bill(database: Database, tenant: Tenant, now: datetime) -> list[tuple[str, str]]:
    async with database.begin() as connection:
        report = await spend_report(connection, tenant, now)
    return [
        *((f"{line.plan} {line.charge_id}", str(line.amount.amount)) for line in report.lines),
        *((adjustment.kind, str(adjustment.amount.amount)) for adjustment in report.adjustments),
        ("total", str(report.total.amount)),
    ]


async def test_seats_and_add_ons_are_prorated(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    await start(database, tenant, "team")
    at = MARCH + 10 * DAY
    subscription = await change(
        database, tenant, at, plan="team", at=at, seats=11, add_ons={"help": 2}
    )
    assert (subscription.seats, subscription.add_ons, subscription.start) == (11, {"help": 2}, at)
    later = at + 20 * DAY
    # What isn't said stays
    kept = await change(database, tenant, later, plan="team", at=later, seats=1)
    assert kept.add_ons == {"help": 2}
    assert await bill(database, tenant, later) == [
        ("team fee", "31.00"),
        ("team seats", "23.10"),  # 10 days of 1, 20 of 11, 1 of 1: 231 seat-days of 3.10 / 31
        ("team help", "8.40"),  # 2 over 21 days
        ("total", "62.50"),
    ]
    with pytest.raises(InvalidInput) as caught:
        await change(database, tenant, later, plan="team", add_ons={"helpp": 1})
    assert caught.value.errors[0].field == "add_ons.helpp"


async def test_a_trial_ends_in_the_plan_itself_and_is_had_once(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    await start(database, tenant, "free")
    at = MARCH + DAY
    subscription = await change(database, tenant, at, plan="try", at=at)
    assert (subscription.state, subscription.state_until, subscription.end) == (
        "trial",
        at + 10 * DAY,
        None,
    )
    assert subscription.next_plan is None
    # More seats don't make the trial longer
    again = await change(database, tenant, at + DAY, plan="try", seats=5)
    assert again.state_until == at + 10 * DAY
    assert await bill(database, tenant, at + DAY) == [
        ("try fee", "10.00"),
        ("try fee", "20.00"),
        ("trial", "-10.00"),
        ("total", "20.00"),
    ]
    away = at + 3 * DAY
    await change(database, tenant, away, plan="free", at=away)
    back = away + DAY
    second = await change(database, tenant, back, plan="try", at=back)
    assert second.state is SubscriptionState.ACTIVE
    # Nor is another plan's trial had after it: one after another, a tenant would never pay
    third = await change(database, tenant, back + DAY, plan="taste", at=back + DAY)
    assert third.state is SubscriptionState.ACTIVE


async def test_a_trial_can_end_in_the_default_plan(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    await start(database, tenant, "taste")
    during = await current(database, tenant, MARCH)
    assert (during.state, during.end) == (SubscriptionState.TRIAL, MARCH + 10 * DAY)
    assert during.next_plan is not None
    assert during.next_plan.definition.id == "free"
    assert (await current(database, tenant, MARCH + 10 * DAY)).plan.definition.id == "free"
    assert (await bill(database, tenant, MARCH))[-1] == ("total", "0.00")


async def test_while_paused_no_fee_runs_and_no_call_is_let_through(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    await start(database, tenant, "team")
    now, until = MARCH + 5 * DAY, MARCH + 15 * DAY
    async with database.begin() as connection:
        paused = await pause(connection, tenant.id, SubscriptionPause(at=now, until=until), now)
    assert (paused.state, paused.state_until) == (SubscriptionState.PAUSED, until)
    async with database.begin() as connection:
        with pytest.raises(SubscriptionPaused, match="paused"):
            await current_quotas(connection, tenant, now)
        with pytest.raises(SubscriptionAlreadyPaused, match="paused already"):
            await pause(connection, tenant.id, SubscriptionPause(), now)
    await add_usage(database, tenant, ("2026-03-08T00:00Z", "large", "input_tokens", "5"))
    assert (await bill(database, tenant, now))[:2] == [
        ("team fee", "21.00"),
        ("team seats", "2.10"),
    ]
    # Resumed before it would by itself
    async with database.begin() as connection:
        again = await resume(connection, tenant.id, MARCH + 10 * DAY - QUARTER / 3)
    assert (again.state, again.start) == (SubscriptionState.ACTIVE, MARCH + 10 * DAY)
    assert (await bill(database, tenant, now))[0] == ("team fee", "26.00")
    async with database.begin() as connection:
        with pytest.raises(SubscriptionNotPaused, match="not paused"):
            await resume(connection, tenant.id, MARCH + 11 * DAY)


async def test_canceled_with_the_period_or_now(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    await start(database, tenant, "team")
    now = MARCH + 9 * DAY + 14 * QUARTER
    async with database.begin() as connection:
        subscription = await cancel(connection, tenant.id, SubscriptionCancel(), now)
    assert subscription.end == datetime(2026, 4, 1, tzinfo=UTC)
    assert (await bill(database, tenant, now))[0] == ("team fee", "31.00")
    kept = await change(database, tenant, now, plan="team")  # taken back
    assert (kept.end, kept.id) == (None, subscription.id)
    async with database.begin() as connection:
        await cancel(connection, tenant.id, SubscriptionCancel(when="now"), MARCH + 10 * DAY)
    assert (await bill(database, tenant, now))[0] == ("team fee", "10.00")
    with pytest.raises(NotFound):
        await current(database, tenant, MARCH + 10 * DAY)


class TestAnchors:
    """Periods begin with a day of the month in the tenant's own zone."""

    async def period(self, database: Database, tenant: Tenant, at: str) -> list[str]:
        async with database.begin() as connection:
            period = await period_at(connection, tenant, datetime.fromisoformat(at))
        return [f"{edge:%m-%dT%H:%M}" for edge in (period.start, period.end)]

    @pytest.mark.parametrize(
        ("moment", "expected"),
        [
            ("2026-01-31T00:00Z", ["01-31T00:00", "02-28T00:00"]),
            ("2026-02-27T23:45Z", ["01-31T00:00", "02-28T00:00"]),
            ("2026-02-28T00:00Z", ["02-28T00:00", "03-31T00:00"]),
            ("2026-04-29T00:00Z", ["03-31T00:00", "04-30T00:00"]),
            ("2028-02-29T12:00Z", ["02-29T00:00", "03-31T00:00"]),
        ],
    )
    async def test_day_31_is_a_shorter_months_last(
        self, database: Database, tenant: Tenant, moment: str, expected: list[str]
    ) -> None:
        async with database.begin() as connection:
            await set_anchor(connection, tenant, 31, datetime(2026, 1, 1, tzinfo=UTC))
        assert await self.period(database, tenant, moment) == expected

    async def test_in_the_tenants_zone_across_a_clock_change(self, database: Database) -> None:
        tenant = await make_tenant(database, time_zone="Europe/Berlin")
        async with database.begin() as connection:
            await set_anchor(connection, tenant, 15, datetime(2026, 1, 1, tzinfo=UTC))
        edges = await self.period(database, tenant, "2026-03-20T00:00Z")
        assert edges == ["03-14T23:00", "04-14T22:00"]

    @pytest.mark.parametrize(
        ("day", "expected"),
        [
            (None, ["03-01T00:00", "04-01T00:00"]),
            (20, ["02-20T00:00", "03-20T00:00"]),
            # 23:30 of the ninth in New York
            ("anniversary", ["03-09T04:00", "04-09T04:00"]),
        ],
    )
    async def test_a_tenant_is_made_with_its_billing_day(
        self, database: Database, applied: Catalog, day: object, expected: list[str]
    ) -> None:
        zone = "America/New_York" if day == "anniversary" else "UTC"
        wanted = TenantCreate(slug="made", name="Made", time_zone=zone, billing_day=day)
        at = datetime(2026, 3, 10, 3, 30, tzinfo=UTC)
        async with database.begin() as connection:
            tenant = await open_tenant(connection, Settings(), COMMAND_LINE, wanted, at)
        assert await self.period(database, tenant, at.isoformat()) == expected

    async def test_a_new_anchor_takes_effect_at_a_periods_end(
        self, database: Database, tenant: Tenant, applied: Catalog
    ) -> None:
        await start(database, tenant, "team")
        async with database.begin() as connection:
            first = await set_anchor(connection, tenant, 20, MARCH + 5 * DAY)
            # Thought better of it
            first = await set_anchor(connection, tenant, 11, MARCH + 6 * DAY)
        assert f"{first.start:%m-%d} {first.end:%m-%d}" == "04-01 04-11"
        assert await self.period(database, tenant, "2026-03-31T23:45Z") == [
            "03-01T00:00",
            "04-01T00:00",
        ]
        assert await self.period(database, tenant, "2026-04-11T00:00Z") == [
            "04-11T00:00",
            "05-11T00:00",
        ]
        # Ten days of the month from March 11th to April 11th: 31 * 10 / 31
        assert (await bill(database, tenant, first.start))[0] == ("team fee", "10.00")


@given(
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"]),
    st.integers(1, 31),
    st.integers(0, 4 * 366 * 96),
)
def test_anchored_periods_tile_time(zone: str, day: int, quarter: int) -> None:
    moment = datetime(2025, 1, 1, tzinfo=UTC) + quarter * QUARTER
    period = billing_period(moment, zone, day)
    assert period.start <= moment < period.end
    follows = billing_period(period.end, zone, day)
    assert follows.start == period.end
    assert billing_period(period.end - QUARTER, zone, day) == period
    assert 28 * DAY - timedelta(hours=1) <= period.end - period.start <= 31 * DAY + QUARTER * 4


steps = st.lists(
    st.tuples(
        st.sampled_from(["free", "team", "try", "taste", "dear", "pause", "resume", "cancel"]),
        st.integers(1, 300),
        st.integers(0, 9),
    ),
    max_size=8,
)


@given(steps)
@settings(
    max_examples=examples(30),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_whatever_is_done_stretches_tile_the_period_and_the_past_stays(
    database: Database, applied: Catalog, steps: list[tuple[str, int, int]]
) -> None:
    tenant = await make_tenant(database)
    await start(database, tenant, "free")
    march = billing_period(MARCH, "UTC")
    now = MARCH

    async def history() -> list[tuple[object, ...]]:
        async with database.begin() as connection:
            stretches = await plan_stretches(connection, tenant.id, march)
        assert (stretches[0].start, stretches[-1].end) == (march.start, march.end)
        assert all(stretch.end == following.start for stretch, following in pairwise(stretches))
        return [
            (
                stretch.plan and stretch.plan.id,
                stretch.seats,
                stretch.trial,
                stretch.start,
                min(stretch.end, now),
            )
            for stretch in stretches
            if stretch.start < now
        ]

    for what, waited, seats in steps:
        now += waited * QUARTER
        if now >= march.end:
            break
        before = await history()
        try:
            async with database.begin() as connection:
                if what == "pause":
                    await pause(connection, tenant.id, SubscriptionPause(), now)
                elif what == "resume":
                    await resume(connection, tenant.id, now)
                elif what == "cancel":
                    await cancel(connection, tenant.id, SubscriptionCancel(when="now"), now)
                else:
                    wanted = SubscriptionChange(plan=what, seats=seats)
                    await change_plan(connection, tenant.id, wanted, now)
        except (Conflict, NotFound):
            continue  # not possible in that state, and then nothing changed
        finally:
            assert await history() == before
    total = Decimal((await bill(database, tenant, now))[-1][1])
    assert 0 <= total <= 310 + 31 + 4
