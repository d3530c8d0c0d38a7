"""A message that can't be counted holds up no other, whatever PostgreSQL says of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fastapi import FastAPI
from nats.js.errors import NotFoundError
from sqlalchemy import func, select

from backend.metering.counting import worker as counting_worker
from backend.metering.counting.batches import count_events
from backend.metering.counting.labels import MOST_LABELS, declare_label
from backend.metering.counting.worker import CountingWorker
from backend.metering.events import AcceptedEvent, encode
from backend.metering.ingest.dead_letters import DeadLetters
from backend.metering.ingest.parsing import read_document
from backend.metering.ingest.plain_events import SentEvent
from backend.metering.ingest.streams import COUNTING, backfill_subject, events_subject
from backend.metering.refusals.refusal import Refusal
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import events
from backend_client.types.events import LONGEST_LABEL_NAME_BYTES, LONGEST_NAME_BYTES
from tests.support.tenants import SampleTenant, sample_tenant
from tests.support.waiting import until

pytestmark = pytest.mark.engine

NOW = datetime.now(UTC).replace(microsecond=0)
ASTRAL = "".join(chr(0x10000 + number) for number in range(0x10000))
"""Four bytes each, and nothing that could be compressed when there are enough of them."""


def event(tenant: SampleTenant, name: str, **changes: Any) -> AcceptedEvent:
    fields: dict[str, Any] = {
        "tenant_id": tenant.id,
        "source": "test",
        "id": name,
        "time": NOW,
        "received_at": NOW,
        "application_id": tenant.application,
        "model": "large",
        "quantities": {"input_tokens": Decimal(1)},
    }
    return AcceptedEvent(**fields | changes)


def noise(seed: object, characters: int) -> str:
    return "".join(random.Random(str(seed)).choices(ASTRAL, k=characters))


@pytest.fixture
async def tenant(app: FastAPI, database: Database) -> SampleTenant:
    """A tenant with as many declared labels as one may have."""
    tenant = await sample_tenant(database, "poisoned")
    async with database.begin() as connection:
        for number in range(MOST_LABELS):
            await declare_label(connection, tenant.id, label_name(number))
    return tenant


def label_name(number: int) -> str:
    return f"{number}{noise(number, (LONGEST_LABEL_NAME_BYTES - 1) // 4)}"


@asynccontextmanager
async def workers(database: Database, settings: Settings, count: int = 1) -> AsyncIterator[None]:
    assert settings.nats_url is not None
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(CountingWorker(database, settings.nats_url, settings).run(stop))
        try:
            yield
        finally:
            stop.set()


async def counted(database: Database, tenant: SampleTenant) -> int:
    query = select(func.count()).where(events.c.tenant_id == tenant.id)
    async with database.begin() as connection:
        return int(await connection.scalar(query) or 0)


async def test_the_largest_event_that_ingest_takes_is_counted(
    database: Database, tenant: SampleTenant
) -> None:
    widest = LONGEST_NAME_BYTES // 4
    document = {
        "specversion": "1.0",
        "id": noise("id", widest),
        "source": noise("source", widest),
        "data": {
            "application": tenant.application,
            "model": noise("model", widest),
            "key": noise("key", widest),
            "upstream": noise("upstream", widest),
            "quantities": {"m" * 63: 1},
            "labels": {label_name(number): noise(number, widest) for number in range(MOST_LABELS)},
        },
    }
    sent = read_document(document)
    assert isinstance(sent, SentEvent), sent
    largest = event(
        tenant,
        sent.id,
        source=sent.source,
        model=sent.data.model,
        key_id=sent.data.key,
        upstream=sent.data.upstream,
        quantities=sent.data.quantities,
        labels=sent.data.labels,
    )
    async with database.raw() as connection:
        assert (await count_events(connection, [largest])).new == 1


@pytest.mark.parametrize("field", ["model", "key", "upstream", "labels"])
def test_what_is_longer_in_bytes_is_refused_and_named(field: str) -> None:
    long = noise(field, LONGEST_NAME_BYTES // 4 + 1)
    data: dict[str, Any] = {"application": "a", "model": "m", "quantities": {"requests": 1}}
    data[field] = {"team": long} if field == "labels" else long
    refusal = read_document({"id": "1", "source": "s", "data": data})
    assert isinstance(refusal, Refusal)
    assert refusal.field is not None
    assert refusal.field.startswith(f"data.{field}")
    assert "200 bytes" in refusal.detail


async def test_what_no_index_can_hold_is_set_aside_and_the_rest_is_counted(
    app: FastAPI, api_settings: Settings, database: Database, tenant: SampleTenant
) -> None:
    js = await app.state.services.stream.jetstream()
    subject = events_subject(api_settings.stream_name)
    for number in range(10):
        labels = {label_name(place): noise((number, place), 200) for place in range(MOST_LABELS)}
        bad = event(tenant, f"bad-{number}", labels=labels)
        await js.publish(subject, encode([event(tenant, f"beside-{number}"), bad]))
        await js.publish(subject, encode([event(tenant, f"good-{number}")]))

    async def all_but_the_bad() -> bool:
        return await counted(database, tenant) == 20

    letters = DeadLetters(js, api_settings.stream_name)
    async with workers(database, api_settings):
        await until(all_but_the_bad)

        async def set_aside() -> bool:
            return await letters.count() == 10

        await until(set_aside)
    page = await letters.page(cursor=None, limit=1)
    assert "index row" in page.items[0].reason


async def test_a_fault_that_looks_like_an_outage_is_set_aside_once_others_are_counted(
    app: FastAPI,
    api_settings: Settings,
    database: Database,
    tenant: SampleTenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting_worker, "AGAIN_SECONDS", 0.05)
    async with database.raw() as connection:
        await connection.execute(
            """
            CREATE FUNCTION lock_out() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'never to be had' USING ERRCODE = '55P03'; END $$;
            CREATE TRIGGER lock_out BEFORE INSERT ON events FOR EACH ROW
            WHEN (NEW.model = 'locked') EXECUTE FUNCTION lock_out();
            """
        )
    js = await app.state.services.stream.jetstream()
    subject = events_subject(api_settings.stream_name)
    await js.publish(subject, encode([event(tenant, "locked", model="locked")]))
    letters = DeadLetters(js, api_settings.stream_name)

    async def redelivered() -> bool:
        try:
            consumer = await js.consumer_info(api_settings.stream_name, COUNTING)
        except NotFoundError:  # the worker has yet to make it
            return False
        return consumer.delivered is not None and consumer.delivered.consumer_seq > 20

    async with workers(database, api_settings):
        # Nothing else was counted: it may well be PostgreSQL's fault, so it stays
        for _ in range(3):
            await js.publish(subject, encode([]))  # as /readyz does
        await until(redelivered)
        assert await letters.count() == 0
        await js.publish(subject, encode([event(tenant, "another")]))

        async def set_aside() -> bool:
            return await letters.count() == 1

        await until(set_aside)
    assert await counted(database, tenant) == 1
    page = await letters.page(cursor=None, limit=1)
    assert page.items[0].reason.endswith("never to be had")


async def test_live_usage_of_another_tenant_is_counted_within_seconds_beside_poison_and_backfill(
    app: FastAPI, api_settings: Settings, database: Database, tenant: SampleTenant
) -> None:
    other = await sample_tenant(database, "other")
    js = await app.state.services.stream.jetstream()
    live, backfill = (
        subject(api_settings.stream_name) for subject in (events_subject, backfill_subject)
    )
    past = NOW - timedelta(days=3)
    for message in range(200):
        old = [event(tenant, f"old-{message}-{number}", time=past) for number in range(100)]
        await js.publish(backfill, encode(old))
    labels = {label_name(place): noise(place, 200) for place in range(MOST_LABELS)}
    count = 100
    waits: dict[str, float] = {}

    async def all_counted() -> bool:
        """Note of each event how long after it was sent it is there."""
        query = select(events.c.id, events.c.received_at).where(events.c.tenant_id == other.id)
        async with database.begin() as connection:
            rows = (await connection.execute(query)).all()
        for name, sent_at in rows:
            waits.setdefault(name, (datetime.now(UTC) - sent_at).total_seconds())
        return len(waits) == count

    async with workers(database, api_settings, 2):
        for number in range(count):
            if number % 10 == 0:
                await js.publish(live, encode([event(tenant, f"bad-{number}", labels=labels)]))
            sent = event(other, f"live-{number}", received_at=datetime.now(UTC))
            await js.publish(live, encode([sent]))
            await all_counted()
        await until(all_counted)

        async def backfilled() -> bool:
            return await counted(database, tenant) == 20_000

        await until(backfilled, seconds=120)
    slowest = sorted(waits.values())
    assert slowest[int(count * 0.99) - 1] < 5.0, slowest[-5:]
