"""Daily rollups are the sums of their quarter hours, and questions may be answered from either."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.metering.counting.batches import count_events
from backend.metering.counting.daily import day_of, day_starts, split_at_days
from backend.metering.counting.rebuild import rebuild_usage
from backend.metering.events import AcceptedEvent, bucket_start
from backend.metering.queries.usage import UsageQuestion, usage_report
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.usage import Granularity, UsageDimension
from tests.support.tenants import SampleTenant, sample_tenant

QUARTER = timedelta(minutes=15)
# In Havana midnight comes twice when summer ends, in Beirut not at all when it begins; Kathmandu
# and Lord Howe are off the hour.
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Havana",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
]
moments = st.integers(0, 4 * 365 * 96).map(
    lambda quarter: datetime(2024, 1, 1, tzinfo=UTC) + quarter * QUARTER
)
zones = st.sampled_from(ZONES)
Place = TypeVar("Place", datetime, date)


@pytest.mark.fast
@given(moments, zones)
def test_a_moment_is_in_one_day(moment: datetime, zone: str) -> None:
    start = day_of(moment, zone)
    assert start <= moment
    assert day_of(start, zone) == start
    [begin, end] = day_starts(moment, moment + QUARTER, zone)[:2]
    assert begin == start <= moment < end
    assert end - begin <= timedelta(hours=25)


@pytest.mark.fast
@given(moments, st.integers(1, 96 * 40), zones)
def test_a_span_is_split_without_gap_or_overlap(start: datetime, length: int, zone: str) -> None:
    end = start + length * QUARTER
    split = split_at_days(start, end, zone)
    pieces = sorted([*split.rest, *([split.days] if split.days else [])])
    assert pieces[0][0] == start
    assert pieces[-1][1] == end
    assert [piece[1] for piece in pieces[:-1]] == [piece[0] for piece in pieces[1:]]
    for edge in split.days or ():
        assert day_of(edge, zone) == edge
    for first, last in split.rest:
        assert last - first < timedelta(hours=50)


AUTUMN = datetime(2026, 10, 20, tzinfo=UTC)
SPRING = datetime(2026, 3, 20, tzinfo=UTC)


def events(tenant: SampleTenant, count: int, start: datetime = AUTUMN) -> list[AcceptedEvent]:
    """Some over the days around a change of the clocks."""
    chance = random.Random(7)
    return [
        AcceptedEvent(
            tenant_id=tenant.id,
            source="test",
            id=str(number),
            time=start + timedelta(minutes=chance.randrange(20 * 24 * 60)),
            received_at=start,
            application_id=chance.choice(["app_a", "app_b"]),
            model=chance.choice(["large", "small"]),
            quantities={"input_tokens": Decimal(chance.randrange(10**9)).scaleb(-3)},
        )
        for number in range(count)
    ]


def wire(sample: SampleTenant, zone: str) -> Tenant:
    return Tenant(
        id=sample.id,
        slug="sample",
        name="Sample",
        time_zone=zone,
        currency="USD",
        is_sample=True,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.engine
@pytest.mark.parametrize(
    ("zone", "around"),
    [
        *((zone, AUTUMN) for zone in ZONES),
        ("Europe/Berlin", SPRING),
        ("Asia/Beirut", SPRING),
        # Its clocks go by half an hour: an hour of theirs has two quarters, or six
        ("Australia/Lord_Howe", SPRING),
        ("Australia/Lord_Howe", datetime(2026, 9, 25, tzinfo=UTC)),
    ],
)
async def test_every_granularity_gives_the_same_answer(
    database: Database, zone: str, around: datetime
) -> None:
    sample = await sample_tenant(database, time_zone=zone)
    counted = events(sample, 1_500, around)
    async with database.raw() as connection:
        for first in range(0, len(counted), 400):
            await count_events(connection, counted[first : first + 500])
    start = around + timedelta(days=2, hours=7, minutes=45)
    end = around + timedelta(days=18, hours=3)
    asked = [event for event in counted if start <= event.time < end]
    local = ZoneInfo(zone)

    async def sums(granularity: Granularity) -> dict[tuple[datetime, str | None], Decimal]:
        question = UsageQuestion(start, end, granularity, frozenset({UsageDimension.MODEL}))
        async with database.snapshot() as connection:
            report = await usage_report(connection, wire(sample, zone), question)
        return {(row.start, row.model): row.quantity for row in report.rows}

    async def dates(granularity: Granularity) -> dict[tuple[date, str | None], Decimal]:
        totals = await sums(granularity)
        return {
            (when.astimezone(local).date(), name): used for (when, name), used in totals.items()
        }

    def by_hand(place: Callable[[datetime], Place]) -> dict[tuple[Place, str], Decimal]:
        totals: dict[tuple[Place, str], Decimal] = {}
        for event in asked:
            key = (place(event.time), event.model)
            totals[key] = totals.get(key, Decimal(0)) + event.quantities["input_tokens"]
        return totals

    def hour_of(time: datetime) -> datetime:
        """Walk back by quarter hours for as long as a clock shows the same hour."""
        at = bucket_start(time)
        while shown(at - QUARTER) == shown(at):
            at -= QUARTER
        return at

    def shown(at: datetime) -> tuple[date, int, timedelta | None]:
        on_the_clock = at.astimezone(local)
        return on_the_clock.date(), on_the_clock.hour, on_the_clock.utcoffset()

    assert await sums(Granularity.TOTAL) == by_hand(lambda _: start)
    assert await sums(Granularity.QUARTER_HOUR) == by_hand(bucket_start)
    assert await sums(Granularity.HOUR) == by_hand(hour_of)
    assert await sums(Granularity.DAY) == by_hand(lambda time: day_of(time, zone))
    assert await dates(Granularity.DAY) == by_hand(
        lambda time: day_of(time, zone).astimezone(local).date()
    )
    assert await dates(Granularity.MONTH) == by_hand(
        lambda time: time.astimezone(local).date().replace(day=1)
    )


@pytest.mark.engine
async def test_a_rebuild_puts_days_right_that_alone_are_wrong(database: Database) -> None:
    sample = await sample_tenant(database, time_zone="Asia/Kathmandu")
    everything = "SELECT * FROM daily_rollups ORDER BY 1, 2, 3, 4, 5, 6"
    async with database.raw() as connection:
        await count_events(connection, events(sample, 500))
        right = await connection.fetch(everything)
        await connection.execute(
            "UPDATE daily_rollups SET quantity = quantity + 1 WHERE model = 'large'"
        )
        await connection.execute("DELETE FROM daily_rollups WHERE application_id = 'app_b'")

        async def wrong(*, repair: bool) -> int:
            days = rebuild_usage(connection, sample.id, repair=repair)
            return sum([day.wrong async for day in days])

        assert await wrong(repair=False) > 0
        assert await wrong(repair=True) > 0
        assert await wrong(repair=False) == 0
        assert await connection.fetch(everything) == right
    assert {day_of(row["day"], "Asia/Kathmandu") for row in right} == {row["day"] for row in right}
