"""Declared meters are what a plain model says, however events are sent, repeated and corrected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.catalog.published import apply_catalog
from backend.errors import InvalidInput
from backend.metering.counting.batches import count_events
from backend.metering.counting.corrections import Amended, CorrectionWanted, correct
from backend.metering.counting.rebuild import rebuild_usage
from backend.metering.events import AcceptedEvent
from backend.metering.queries.usage import UsageQuestion, usage_report
from backend.metering.queries.values import values_over
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.usage import Granularity, UsageDimension
from tests.support.billing import catalog_with, make_tenant
from tests.support.examples import examples

pytestmark = pytest.mark.engine

START = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
END = START + timedelta(days=3)
METERS = [
    {"id": "billed_seconds", "name": "Billed", "of": ["seconds"], "minimum": "10"},
    {"id": "peak_seats", "name": "Peak", "of": ["seats"], "aggregation": "max"},
    {"id": "stored", "name": "Stored", "of": ["size"], "aggregation": "last", "label": "project"},
    {"id": "users", "name": "Users", "aggregation": "unique", "label": "user"},
]
VALUED = ("peak_seats", "stored", "users")

contents = st.fixed_dictionaries(
    {
        "quantities": st.dictionaries(
            st.sampled_from(["seconds", "seats", "size"]), st.integers(0, 30).map(Decimal)
        ).map(lambda used: {"requests": Decimal(1), **used}),
        "labels": st.fixed_dictionaries(
            {"project": st.sampled_from(["a", "b"])},
            optional={"user": st.sampled_from(["u1", "u2", "u3"])},
        ),
    }
)
Content = dict[str, Any]
sent = st.lists(st.tuples(st.integers(0, 60 * 40), contents), max_size=10)


def event(tenant: Tenant, number: int, minute: int, content: Content) -> AcceptedEvent:
    time = START + timedelta(minutes=minute)
    return AcceptedEvent(
        tenant_id=tenant.id,
        source="test",
        id=str(number),
        time=time,
        received_at=time,
        application_id="app_a",
        model="model-a",
        **content,
    )


def by_hand(events: Sequence[AcceptedEvent]) -> dict[str, Decimal]:
    """The meters' values, from the events and nothing else."""
    values: dict[str, Decimal] = {}
    billed = [max(used, Decimal(10)) for of in events if (used := of.quantities.get("seconds"))]
    if billed:
        values["billed_seconds"] = sum(billed, Decimal(0))
    seats = [of.quantities["seats"] for of in events if "seats" in of.quantities]
    if seats:
        values["peak_seats"] = max(seats)
    last = {
        of.labels["project"]: of.quantities["size"]
        for of in sorted(events, key=lambda of: (of.time, of.quantities.get("size", 0)))
        if "size" in of.quantities
    }
    if last:
        values["stored"] = sum(last.values(), Decimal(0))
    users = {of.labels["user"] for of in events if "user" in of.labels}
    if users:
        values["users"] = Decimal(len(users))
    return values


@pytest.fixture(autouse=True)
async def _meters(database: Database) -> None:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(meters=METERS))


async def counted(database: Database, tenant: Tenant) -> dict[str, Decimal]:
    """What the usage says of the meters, by both of the ways that ask for it."""
    question = UsageQuestion(START, END, Granularity.TOTAL)
    async with database.begin() as connection:
        report = await usage_report(connection, tenant, question)
        [values] = await values_over(connection, tenant.id, VALUED, [[(START, END)]])
    own = {meter["id"] for meter in METERS}
    usage = {row.meter: row.quantity for row in report.rows if row.meter in own}
    assert {meter: usage[meter] for meter in usage if meter in VALUED} == values
    return usage


@settings(
    max_examples=examples(12),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), used=sent)
async def test_order_batches_repetitions_and_corrections_make_no_difference(
    database: Database, data: st.DataObject, used: list[tuple[int, Content]]
) -> None:
    tenant = await make_tenant(database)
    events = [event(tenant, number, *what) for number, what in enumerate(used)]
    repeated = data.draw(st.lists(st.sampled_from(events), max_size=4)) if events else []
    shuffled = data.draw(st.permutations([*events, *repeated]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=3)))
    corrections = (
        data.draw(
            st.lists(
                st.tuples(st.sampled_from(events), st.none() | contents, st.booleans()), max_size=4
            )
        )
        if events
        else []
    )
    right = {of.id: of for of in events}
    async with database.raw() as connection:
        # Some corrections come before their events, and wait for them
        for early in (True, False):
            for number, (of, content, comes_early) in enumerate(corrections):
                if comes_early is early:
                    amended = (
                        None
                        if content is None
                        else Amended(application_id="app_a", model="model-a", **content)
                    )
                    wanted = CorrectionWanted(f"c{number}", "test", of.id, amended, "", "usr_a")
                    async with connection.transaction():
                        await correct(connection, tenant.id, [wanted], END)
            if early:
                for start, end in pairwise([0, *cuts, len(shuffled)]):
                    await count_events(connection, shuffled[start:end])
        for early in (True, False):
            for of, content, comes_early in corrections:
                if comes_early is early and content is None:
                    right.pop(of.id, None)
                elif comes_early is early and content is not None:
                    right[of.id] = event(tenant, int(of.id), 0, content)
                    right[of.id] = AcceptedEvent(
                        **{**{f: getattr(of, f) for f in of.__struct_fields__}, **content}
                    )
        expected = by_hand(list(right.values()))
        assert await counted(database, tenant) == expected

        assert sum([day.wrong async for day in rebuild_usage(connection, tenant.id)]) == 0
        await connection.execute(
            "UPDATE usage_values SET event_count = 7 WHERE tenant_id = $1", tenant.id
        )
        async for _ in rebuild_usage(connection, tenant.id):
            pass
        assert await counted(database, tenant) == expected


async def test_a_sender_does_not_say_what_farebox_makes(database: Database) -> None:
    tenant = await make_tenant(database)
    lies = {name: Decimal(99) for name in ("billed_seconds", "peak_seats", "stored", "users")}
    content = {"quantities": {"seconds": Decimal(3), **lies}}
    async with database.raw() as connection:
        await count_events(connection, [event(tenant, 1, 0, content)])
    assert await counted(database, tenant) == {"billed_seconds": Decimal(10)}


async def test_usage_tells_each_group_its_own_value(database: Database) -> None:
    tenant = await make_tenant(database)
    events = [
        event(tenant, number, minute, {"quantities": {"seats": Decimal(seats)}})
        for number, (minute, seats) in enumerate([(0, 3), (1, 8), (600, 5)])
    ]
    other = event(tenant, 9, 2, {"quantities": {"seats": Decimal(4)}})
    async with database.raw() as connection:
        await count_events(
            connection,
            [
                *events,
                AcceptedEvent(
                    **{
                        **{name: getattr(other, name) for name in other.__struct_fields__},
                        "application_id": "app_b",
                    }
                ),
            ],
        )
    async with database.begin() as connection:
        by_day = await usage_report(connection, tenant, UsageQuestion(START, END))
        grouped = UsageQuestion(
            START, END, Granularity.TOTAL, frozenset({UsageDimension.APPLICATION})
        )
        by_application = await usage_report(connection, tenant, grouped)
        by_label = await usage_report(
            connection, tenant, UsageQuestion(START, END, by_labels=("team",))
        )
    peaks = [row for row in by_day.rows if row.meter == "peak_seats"]
    assert [(row.quantity, row.event_count) for row in peaks] == [(8, 3), (5, 1)]
    peaks = [row for row in by_application.rows if row.meter == "peak_seats"]
    assert {row.application: row.quantity for row in peaks} == {"app_a": 8, "app_b": 4}
    assert {row.meter for row in by_label.rows} == {"seats"}


async def test_a_published_meter_stays_as_it_is(database: Database) -> None:
    other = [{**METERS[0], "minimum": "20"}, *METERS[1:]]
    async with database.begin() as connection:
        with pytest.raises(InvalidInput) as refused:
            await apply_catalog(connection, catalog_with(meters=other))
        assert [error.field for error in refused.value.errors] == ["meters.0.id"]


async def test_a_retired_meter_counts_nothing_new_and_what_it_counted_can_be_corrected(
    database: Database,
) -> None:
    tenant = await make_tenant(database)
    seats = {"quantities": {"seats": Decimal(5)}}
    async with database.raw() as connection:
        await count_events(connection, [event(tenant, 1, 0, seats)])
        async with database.begin() as other:
            applied = await apply_catalog(other, catalog_with(meters=METERS[:1]))
            assert applied.meters_changed == list(VALUED)
        await count_events(connection, [event(tenant, 2, 0, {"quantities": {"seats": Decimal(9)}})])
        assert await counted(database, tenant) == {"peak_seats": Decimal(5)}
        async with connection.transaction():
            wanted = CorrectionWanted("c1", "test", "1", None, "", "usr_a")
            await correct(connection, tenant.id, [wanted], END)
        assert await counted(database, tenant) == {}
        async with database.begin() as other:
            applied = await apply_catalog(other, catalog_with(meters=METERS))
            assert applied.meters_changed == list(VALUED)


async def test_a_name_that_events_have_can_not_be_declared(database: Database) -> None:
    tenant = await make_tenant(database)
    async with database.raw() as connection:
        await count_events(connection, [event(tenant, 1, 0, {"quantities": {"pages": Decimal(1)}})])
    pages = {"id": "pages", "name": "Pages", "of": ["seats"]}
    async with database.begin() as connection:
        with pytest.raises(InvalidInput) as refused:
            await apply_catalog(connection, catalog_with(meters=[*METERS, pages]))
        assert [error.field for error in refused.value.errors] == ["meters.4.id"]
