"""Events, corrections and labels through the typed clients."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backend.metering.counting import count_events
from backend.metering.events import AcceptedEvent
from backend.storage.database import Database
from backend_client import AsyncFareboxClient, FareboxClient, Forbidden, NotFound
from backend_client.types.corrections import CorrectionBatch, CorrectionCreate, EventReference
from tests.metering.tenants import Headers, SampleTenant, sample_tenant

pytestmark = pytest.mark.engine

NOW = datetime.now(UTC)


def token(headers: Headers) -> str:
    return headers["authorization"].removeprefix("Bearer ")


async def count(database: Database, tenant: SampleTenant, number: int) -> None:
    made = [
        AcceptedEvent(
            tenant_id=tenant.id,
            source="test",
            id=str(one),
            time=NOW,
            received_at=NOW,
            application_id=tenant.application,
            model="model-a",
            quantities={"requests": Decimal("0.1")},
            labels={"team": "a/b"},
        )
        for one in range(number)
    ]
    async with database.raw() as connection:
        await count_events(connection, made)


def void(event_id: str) -> CorrectionCreate:
    return CorrectionCreate(
        id=f"void-{event_id}",
        event=EventReference(source="test", id=event_id),
        action="void",
        reason="test",
    )


async def test_the_async_client_lists_corrects_and_declares(
    api_url: str, database: Database, operator: Headers
) -> None:
    tenant = await sample_tenant(database)
    await count(database, tenant, 120)
    async with (
        AsyncFareboxClient(api_url, token(tenant.headers)) as own,
        AsyncFareboxClient(api_url, token(operator)) as seller,
    ):
        listed = [event async for event in own.events(labels={"team": "a/b"}, model=["model-a"])]
        assert len(listed) == 120  # over several pages
        assert listed[0].quantities == {"requests": Decimal("0.1")}
        batch = CorrectionBatch(tenant=tenant.id, corrections=[void("7")])
        preview = await seller.correct(batch, preview=True)
        assert [change.quantity for change in preview.changes] == [Decimal("-0.1")]
        assert [one async for one in own.corrections()] == []
        assert (await seller.correct(batch)).corrections[0].state == "applied"
        (on_record,) = [one async for one in own.corrections(source="test", event_id="7")]
        assert on_record.after is None
        assert [event.voided async for event in own.events(event_id=["7"])] == [True]
        with pytest.raises(Forbidden):
            await own.correct(batch)
        assert (await seller.declare_label("a/b", tenant=tenant.id)).label == "a/b"
        assert [one.label for one in await own.labels()] == ["a/b"]
        await seller.withdraw_label("a/b", tenant=tenant.id)
        with pytest.raises(NotFound):
            await seller.withdraw_label("a/b", tenant=tenant.id)


async def test_the_sync_client_does_the_same(
    api_url: str, database: Database, operator: Headers
) -> None:
    tenant = await sample_tenant(database)
    await count(database, tenant, 3)

    def work() -> None:
        with FareboxClient(api_url, token(operator)) as seller:
            batch = CorrectionBatch(tenant=tenant.slug, corrections=[void("0"), void("x")])
            states = [one.state for one in seller.correct(batch).corrections]
            assert states == ["applied", "pending"]
            seller.declare_label("team", tenant=tenant.slug)
        with FareboxClient(api_url, token(tenant.headers)) as own:
            assert len(list(own.events(start=NOW, meter=["requests"]))) == 3
            assert len(list(own.corrections())) == 2
            assert [one.label for one in own.labels()] == ["team"]

    await asyncio.to_thread(work)
