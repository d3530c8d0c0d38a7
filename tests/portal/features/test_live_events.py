"""Events that a page follows, from an API that is served on a real port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.metering.queries import tail
from backend.storage.database import Database
from backend_client import AsyncFareboxClient, RateLimited, Unauthenticated, Unavailable
from backend_client.types.accounts import Role
from portal.features.events import live as live_events
from portal.features.events.live import LiveEvents
from portal.features.events.tails import Tails, tails
from portal.session.guard import Caller
from tests.support.tenants import SampleTenant, sample_tenant
from tests.support.waiting import until

pytestmark = pytest.mark.engine


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open again at once."""
    monkeypatch.setattr(live_events, "RESTART_SECONDS", 0.2)


@pytest.fixture
async def tenant(url: str, database: Database) -> SampleTenant:
    return await sample_tenant(database)


@pytest.fixture
async def client(url: str, tenant: SampleTenant) -> AsyncIterator[AsyncFareboxClient]:
    key = tenant.headers["authorization"].removeprefix("Bearer ")
    async with AsyncFareboxClient(url, key) as client:
        yield client


@pytest.fixture
async def caller(client: AsyncFareboxClient) -> Caller:
    return Caller(await client.me.get(), client)


async def count(database: Database, tenant: SampleTenant, *ids: str) -> None:
    now = datetime.now(UTC)
    events = [
        AcceptedEvent(
            tenant_id=tenant.id,
            source="test",
            id=event_id,
            time=now,
            received_at=now,
            application_id=tenant.application,
            model="m",
            quantities={"requests": Decimal(1)},
        )
        for event_id in ids
    ]
    async with database.raw() as connection:
        await count_events(connection, events)


async def taken(live: LiveEvents, number: int) -> list[str]:
    """What comes in until there are so many."""
    ids: list[str] = []

    async def enough() -> bool:
        ids.extend(event.id for event in live.take())
        return len(ids) >= number

    await until(enough)
    return ids


async def test_what_came_since_the_newest_that_was_loaded_is_taken_once(
    client: AsyncFareboxClient, database: Database, tenant: SampleTenant, caller: Caller
) -> None:
    await count(database, tenant, "loaded")
    (loaded,) = (await client.events.list().page()).items
    await count(database, tenant, "between")
    async with LiveEvents(caller) as live:
        assert (live.started, live.has_gap) == (False, True)
        live.start(loaded.received_at)
        assert live.started
        assert await taken(live, 2) == ["loaded", "between"]
        await count(database, tenant, "live")
        assert await taken(live, 1) == ["live"]


async def test_one_that_is_refused_is_told_and_opened_again(
    client: AsyncFareboxClient,
    caller: Caller,
    database: Database,
    tenant: SampleTenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tail, "_MOST_TAILS", 1)
    begun = datetime.now(UTC)
    async with (
        LiveEvents(caller) as live,
        aclosing(client.events.tail(since=begun)) as other,
    ):
        await count(database, tenant, "seen-by-other")
        await anext(other)
        live.has_gap = False
        live.start(None)

        async def refused() -> bool:
            try:
                live.take()
            except Unavailable as problem:
                return "Too many tails" in str(problem)
            return False

        await until(refused)
        assert live.has_gap
        await other.aclose()
        ids: list[str] = []

        async def back() -> bool:
            try:
                ids.extend(event.id for event in live.take())
            except Unavailable:
                return False
            return "missed" in ids

        await count(database, tenant, "missed")
        await until(back)
        assert ids == ["seen-by-other", "missed"]


async def test_a_session_that_has_ended_is_not_opened_again(
    caller: Caller, database: Database, tenant: SampleTenant
) -> None:
    async with LiveEvents(caller) as live:
        live.start(None)
        await count(database, tenant, "seen")
        assert await taken(live, 1) == ["seen"]
        async with database.raw() as connection:
            await connection.execute("UPDATE api_keys SET revoked_at = now()")

        async def ended() -> bool:
            try:
                live.take()
            except Unauthenticated:
                return True
            return False

        await until(ended)


async def test_tabs_share_a_connection_that_outlives_the_tab_that_opened_it(
    caller: Caller,
    database: Database,
    tenant: SampleTenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The API lets the tenant have no other
    monkeypatch.setattr(tail, "_MOST_TAILS", 1)
    async with LiveEvents(caller) as second:
        async with LiveEvents(caller) as first:
            first.start(None)
            await count(database, tenant, "before")
            assert await taken(first, 1) == ["before"]
            second.has_gap = False
            second.start(None)

            async def has_gap() -> bool:
                return second.has_gap

            # It can't know what the first was told before: the list is loaded again
            await until(has_gap)
            second.has_gap = False
            await count(database, tenant, "both")
            assert await taken(first, 1) == ["both"]
            assert await taken(second, 1) == ["both"]
        await count(database, tenant, "after")
        assert await taken(second, 1) == ["after"]
        assert not second.has_gap
    assert not tails.follows(caller.sees)


async def test_one_that_may_not_follow_keeps_no_other_from_it(
    caller: Caller, url: str, database: Database, tenant: SampleTenant
) -> None:
    async with (
        AsyncFareboxClient(url, "fbs_nobody") as nobody,
        LiveEvents(Caller(caller.me, nobody)) as refused,
        LiveEvents(caller) as live,
    ):
        refused.start(None)
        live.start(None)
        await count(database, tenant, "seen")
        assert await taken(live, 1) == ["seen"]

        async def is_told() -> bool:
            try:
                refused.take()
            except Unauthenticated:
                return True
            return False

        await until(is_told)


async def test_no_two_tenants_and_no_two_rights_share_a_stream(
    caller: Caller, url: str, database: Database, tenant: SampleTenant
) -> None:
    other = await sample_tenant(database, "other")
    secret = other.headers["authorization"].removeprefix("Bearer ")
    async with AsyncFareboxClient(url, secret) as others:
        stranger = Caller(await others.me.get(), others)
        me = caller.me
        owner = Caller(me.model_copy(update={"role": Role.OWNER}), caller.client)
        operator = Caller(me.model_copy(update={"is_operator": not me.is_operator}), caller.client)
        again = Caller(me.model_copy(update={"name": "another tab"}), caller.client)
        assert len({each.sees for each in (caller, stranger, owner, operator, again)}) == 4

        async with LiveEvents(caller) as mine, LiveEvents(stranger) as theirs:
            mine.start(None)
            theirs.start(None)
            await count(database, tenant, "mine")
            await count(database, other, "theirs")
            assert await taken(mine, 1) == ["mine"]
            assert await taken(theirs, 1) == ["theirs"]
            async with LiveEvents(owner) as apart, LiveEvents(again) as beside:
                apart.start(None)
                beside.start(None)
                # Who has other rights has a connection of their own, from the beginning
                assert await taken(apart, 1) == ["mine"]
                assert len(tails) == 3


async def test_what_is_said_to_one_that_there_are_too_many_is_said_to_all(
    caller: Caller, client: AsyncFareboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "_MOST_TAILS", 0)
    shared = Tails()
    begun = datetime.now(UTC)

    async def follow() -> None:
        async with aclosing(shared.events(caller.sees, client, begun)) as events:
            await anext(events)

    outcomes = await asyncio.gather(follow(), follow(), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [RateLimited, RateLimited]
    assert len(shared) == 0


async def test_an_ending_that_nobody_foresaw_is_raised_in_all_tabs(
    caller: Caller, client: AsyncFareboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(**since: object) -> AsyncIterator[object]:
        if since:
            raise ZeroDivisionError("nobody foresaw it")
        yield

    monkeypatch.setattr(client.events, "tail", broken)
    async with LiveEvents(caller) as first, LiveEvents(caller) as second:
        first.start(None)
        second.start(None)
        for live in (first, second):

            async def is_raised(live: LiveEvents = live) -> bool:
                try:
                    live.take()
                except ZeroDivisionError:
                    return True
                return False

            await until(is_raised)
