"""Any split, order and repetition of the same events gives the same rollups."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent, bucket_start, decode, messages
from backend.storage.database import Database
from tests.support.examples import examples

pytestmark = pytest.mark.engine

START = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)


def event(**changed: Any) -> AcceptedEvent:
    values: dict[str, Any] = {
        "tenant_id": "ten_a",
        "source": "test",
        "id": "1",
        "time": START,
        "received_at": START,
        "application_id": "app_a",
        "model": "model-a",
        "quantities": {"requests": Decimal(1)},
    }
    return AcceptedEvent(**{**values, **changed})


quantities = st.dictionaries(
    st.sampled_from(["requests", "input_tokens", "output_tokens", "audio_seconds"]),
    st.decimals(0, 10**20, places=9),
    min_size=1,
)
# Few identities, so that some events meet again; an identity always carries the same content,
# which is what a sender that repeats itself sends.
event_sets = st.lists(
    st.builds(
        lambda number, tenant, minutes, amounts, application, key, upstream: event(
            id=str(number),
            tenant_id=tenant,
            time=START + timedelta(minutes=minutes),
            quantities=amounts,
            application_id=application,
            key_id=key,
            upstream=upstream,
        ),
        st.integers(0, 10_000),
        st.sampled_from(["ten_a", "ten_b"]),
        st.integers(0, 90),
        quantities,
        st.sampled_from(["app_a", "app_b"]),
        st.sampled_from(["", "key_a"]),
        st.sampled_from(["", "azure", "openai"]),
    ),
    max_size=25,
    unique_by=lambda event: (event.tenant_id, event.source, event.id),
)


def expected_rollups(events: Sequence[AcceptedEvent]) -> dict[tuple[object, ...], tuple[Any, int]]:
    """The same sums, by hand."""
    sums: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    counts: dict[tuple[object, ...], int] = defaultdict(int)
    for event in events:
        for meter, quantity in event.quantities.items():
            place = (
                event.tenant_id,
                bucket_start(event.time),
                event.application_id,
                event.key_id,
                event.model,
                event.upstream,
                meter,
            )
            with localcontext(prec=100):  # Python would round at 28 digits; PostgreSQL does not
                sums[place] += quantity
            counts[place] += 1
    return {place: (sums[place], counts[place]) for place in sums}


async def stored_rollups(
    connection: asyncpg.Connection,
) -> dict[tuple[object, ...], tuple[Any, int]]:
    rows = await connection.fetch(
        "SELECT tenant_id, bucket, application_id, key_id, model, upstream, meter, quantity,"
        " event_count FROM rollups"
    )
    return {tuple(row)[:7]: (row["quantity"], row["event_count"]) for row in rows}


@pytest.fixture
async def connection(database: Database) -> Any:
    async with database.raw() as connection:
        await connection.execute(
            "INSERT INTO tenants (id, slug, name) VALUES"
            " ('ten_a', 'a', 'Sample A'), ('ten_b', 'b', 'Sample B')"
        )
        yield connection


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), events=event_sets)
async def test_any_split_order_and_repetition_gives_the_same_rollups(
    connection: asyncpg.Connection, data: st.DataObject, events: list[AcceptedEvent]
) -> None:
    await connection.execute("TRUNCATE events, rollups, daily_rollups, usage_versions")
    repeated = data.draw(st.lists(st.sampled_from(events), max_size=10)) if events else []
    sent = data.draw(st.permutations([*events, *repeated]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    new = 0
    for start, end in pairwise([0, *cuts, len(sent)]):
        new += (await count_events(connection, sent[start:end])).new
    assert new == len(events)
    assert await stored_rollups(connection) == expected_rollups(events)


async def test_workers_that_meet_on_the_same_events_neither_deadlock_nor_count_twice(
    connection: asyncpg.Connection, database: Database
) -> None:
    events = [event(id=str(number), key_id=f"key_{number % 7}") for number in range(2_000)]

    async def work(order: Sequence[AcceptedEvent]) -> int:
        async with database.raw() as own:
            parts = [order[start : start + 250] for start in range(0, len(order), 250)]
            return sum([(await count_events(own, part)).new for part in parts])

    new = await asyncio.gather(work(events), work(events[::-1]), work(events[1000:] + events))
    assert sum(new) == len(events)
    assert await stored_rollups(connection) == expected_rollups(events)


async def test_an_event_of_a_tenant_that_was_removed_is_not_counted(
    connection: asyncpg.Connection,
) -> None:
    counted = await count_events(connection, [event(tenant_id="ten_gone")])
    assert (counted.new, counted.duplicates) == (0, 1)
    assert await stored_rollups(connection) == {}


@pytest.mark.fast
@given(st.lists(st.builds(event, quantities=quantities), max_size=30))
def test_messages_carry_every_event_exactly(events: list[AcceptedEvent]) -> None:
    assert [event for message in messages(events) for event in decode(message)] == events


@pytest.mark.fast
def test_a_long_batch_is_packed_within_the_brokers_limit() -> None:
    events = [event(id=str(number), labels={"note": "x" * 200}) for number in range(9_000)]
    packed = list(messages(events))
    assert max(map(len, packed)) < 2**20
    assert sum(len(decode(message)) for message in packed) == len(events)
