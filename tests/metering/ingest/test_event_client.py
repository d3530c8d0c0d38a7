"""Events, corrections and labels through the typed clients."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.metering.refusals.refusal import Refusal
from backend.metering.refusals.tally import RefusalTally
from backend.metering.refusals.writing import RefusalWriter
from backend.storage.database import Database
from backend_client import (
    AsyncFareboxClient,
    FareboxClient,
    Forbidden,
    NotFound,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
)
from backend_client.streams import stored_event_of
from backend_client.types.corrections import CorrectionBatch, CorrectionCreate, EventReference
from backend_client.types.events import StoredEvent, UsageData, UsageEvent
from tests.support.ports import free_port
from tests.support.tenants import Headers, SampleTenant, sample_tenant
from tests.support.waiting import until

pytestmark = pytest.mark.engine

NOW = datetime.now(UTC)


def token(headers: Headers) -> str:
    return headers["authorization"].removeprefix("Bearer ")


async def count(
    database: Database, tenant: SampleTenant, number: int, received_at: datetime = NOW
) -> None:
    events = [
        AcceptedEvent(
            tenant_id=tenant.id,
            source="test",
            id=str(place),
            time=NOW,
            received_at=received_at,
            application_id=tenant.application,
            model="model-a",
            quantities={"requests": Decimal("0.1")},
            labels={"team": "a/b"},
        )
        for place in range(number)
    ]
    async with database.raw() as connection:
        await count_events(connection, events)


def void(event_id: str) -> CorrectionCreate:
    return CorrectionCreate(
        id=f"void-{event_id}",
        event=EventReference(source="test", id=event_id),
        action="void",
        reason="test",
    )


async def test_the_async_client_lists_corrects_and_declares(
    url: str, database: Database, operator: Headers
) -> None:
    tenant = await sample_tenant(database)
    await count(database, tenant, 120)
    async with (
        AsyncFareboxClient(url, token(tenant.headers)) as own,
        AsyncFareboxClient(url, token(operator)) as seller,
    ):
        listed = [
            event async for event in own.events.list(label={"team": "a/b"}, model=["model-a"])
        ]
        assert len(listed) == 120  # over several pages
        assert listed[0].quantities == {"requests": Decimal("0.1")}
        batch = CorrectionBatch(tenant=tenant.id, corrections=[void("7")])
        preview = await seller.corrections.preview(batch)
        assert [change.quantity for change in preview.changes] == [Decimal("-0.1")]
        assert [correction async for correction in own.corrections.list()] == []
        assert (await seller.corrections.create(batch)).corrections[0].state == "applied"
        (on_record,) = [
            correction async for correction in own.corrections.list(source="test", event_id="7")
        ]
        assert on_record.after is None
        assert [event.voided async for event in own.events.list(event_id=["7"])] == [True]
        with pytest.raises(Forbidden):
            await own.corrections.create(batch)
        assert (await seller.labels.declare("a/b", tenant=tenant.id)).label == "a/b"
        assert [label.label for label in await own.labels.list().all()] == ["a/b"]
        await seller.labels.withdraw("a/b", tenant=tenant.id)
        with pytest.raises(NotFound):
            await seller.labels.withdraw("a/b", tenant=tenant.id)


async def test_the_sync_client_does_the_same(
    url: str, database: Database, operator: Headers
) -> None:
    tenant = await sample_tenant(database)
    await count(database, tenant, 3)

    def work() -> None:
        with FareboxClient(url, token(operator)) as seller:
            batch = CorrectionBatch(tenant=tenant.slug, corrections=[void("0"), void("x")])
            states = [
                correction.state for correction in seller.corrections.create(batch).corrections
            ]
            assert states == ["applied", "pending"]
            seller.labels.declare("team", tenant=tenant.slug)
        with FareboxClient(url, token(tenant.headers)) as own:
            assert len(list(own.events.list(start=NOW, meter=["requests"]))) == 3
            assert len(list(own.corrections.list())) == 2
            assert [label.label for label in own.labels.list().all()] == ["team"]

    await asyncio.to_thread(work)


async def test_pages_are_asked_for_one_at_a_time(
    url: str, database: Database, operator: Headers
) -> None:
    tenant = await sample_tenant(database)
    await count(database, tenant, 5)
    batch = CorrectionBatch(tenant=tenant.id, corrections=[void("0"), void("1"), void("2")])
    async with (
        AsyncFareboxClient(url, token(tenant.headers)) as own,
        AsyncFareboxClient(url, token(operator)) as seller,
    ):
        await seller.corrections.create(batch)
        first = await own.events.list(model=["model-a"], limit=3).page()
        rest = await own.events.list(model=["model-a"], limit=3, cursor=first.next_cursor).page()
        assert (len(first.items), len(rest.items), rest.next_cursor) == (3, 2, None)
        assert [event async for event in own.events.list()] == [*first.items, *rest.items]
        (newest,) = (page := await own.corrections.list(limit=1).page()).items
        (before,) = (await own.corrections.list(limit=1, cursor=page.next_cursor).page()).items
        assert (newest.event.id, before.event.id) == ("2", "1")
        assert await seller.events.list(tenant=tenant.slug, limit=3).page() == first
        assert (await seller.corrections.list(tenant=tenant.id, event_id="1").page()).items == [
            before
        ]
        assert (
            len([correction async for correction in seller.corrections.list(tenant=tenant.id)]) == 3
        )
        assert [
            application.id for application in await seller.applications.list(tenant=tenant.id).all()
        ] == [tenant.application]
        with pytest.raises(Forbidden):
            await own.events.list(tenant=tenant.id).page()

    def work() -> None:
        with FareboxClient(url, token(operator)) as seller:
            assert seller.events.list(tenant=tenant.id, limit=3).page() == first
            assert seller.corrections.list(tenant=tenant.id, limit=1).page() == page
            assert len(list(seller.events.list(tenant=tenant.id))) == 5
            assert len(seller.applications.list(tenant=tenant.id).all()) == 1

    await asyncio.to_thread(work)


async def test_events_are_followed(url: str, database: Database) -> None:
    tenant = await sample_tenant(database)
    async with AsyncFareboxClient(url, token(tenant.headers)) as own:
        events: list[StoredEvent] = []

        async def follow() -> None:
            async with aclosing(own.events.tail(since=NOW)) as tail:
                async for event in tail:
                    events.append(event)
                    if len(events) == 4:
                        return

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(follow())
            await count(database, tenant, 2, datetime.now(UTC))
            await until_found(events, 2)
            await count(database, tenant, 4, datetime.now(UTC))
        assert sorted(event.id for event in events) == ["0", "1", "2", "3"]
        at_the_end = [event async for event in own.events.tail(since=NOW, seconds=0)]
        assert len(at_the_end) == 4

    def work() -> list[StoredEvent]:
        with FareboxClient(url, token(tenant.headers)) as plain:
            return list(plain.events.tail(since=NOW, seconds=0))

    assert await asyncio.to_thread(work) == at_the_end


async def until_found(events: list[StoredEvent], number: int) -> None:
    async def enough() -> bool:
        return len(events) >= number

    await until(enough)


async def test_what_can_not_be_followed_is_told(url: str) -> None:
    async with AsyncFareboxClient(url, "fb_live_none") as nobody:
        with pytest.raises(Unauthenticated):
            await anext(nobody.events.tail())
    async with AsyncFareboxClient(f"http://127.0.0.1:{free_port()}", "x") as nowhere:
        with pytest.raises(Unavailable):
            await anext(nowhere.events.tail())
    with pytest.raises(UnexpectedAnswer):
        stored_event_of("{}", httpx.Response(200))


async def test_a_backfill_is_previewed_as_it_was_written(
    url: str, database: Database, operator: Headers
) -> None:
    tenant = await sample_tenant(database)
    data = UsageData(
        application=tenant.application, model="model-a", quantities={"requests": Decimal("0.1")}
    )
    event = UsageEvent(id="1", source="test", subject=tenant.id, data=data)
    written = event.model_dump(mode="json", exclude_none=True) | {"id": "2", "time": "never"}
    async with AsyncFareboxClient(url, token(operator)) as seller:
        preview = await seller.events.preview([event, written])
        assert (preview.verdict.accepted, preview.verdict.rejected) == (1, 1)
        assert [error.field for error in preview.verdict.errors] == ["time"]
        assert [change.quantity for change in preview.changes] == [Decimal("0.1")]

    def work() -> None:
        with FareboxClient(url, token(operator)) as plain:
            assert plain.events.preview([event]).verdict.accepted == 1

    await asyncio.to_thread(work)


async def test_both_clients_list_what_was_refused(
    url: str, database: Database, operator: Headers
) -> None:
    tenant = await sample_tenant(database)
    tally = RefusalTally()
    for number, whose in enumerate((tenant.id, tenant.id, None)):
        refusal = Refusal(str(number), "time", f"reason {'x' * number}", "app")
        tally.note(whose, "operator", "key_1", refusal, NOW)
    await RefusalWriter(database, tally).write()
    async with (
        AsyncFareboxClient(url, token(tenant.headers)) as own,
        AsyncFareboxClient(url, token(operator)) as seller,
    ):
        mine = await own.events.refused(limit=1).all()
        assert {row.sample_id for row in mine} == {"0", "1"}
        assert await own.events.refused(day=NOW.date() - timedelta(days=1)).all() == []
        theirs = await seller.events.refused(tenant=tenant.slug).all()
        assert [row.id for row in theirs] == [row.id for row in mine]
        assert len(await seller.pipeline.refused_events(day=NOW.date()).all()) == 3

    def counts() -> tuple[int, int]:
        with FareboxClient(url, token(operator)) as client:
            everything = client.pipeline.refused_events(limit=2).all()
            return len(everything), len(client.events.refused(tenant=tenant.id).all())

    assert await asyncio.to_thread(counts) == (3, 2)
