"""All tabs of a tenant share one connection to the API, which tells them what has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from backend.accounts.members.members import add_member, upsert_user
from backend.accounts.sessions.sessions import begin_session
from backend.storage.database import Database
from backend_client import AsyncFareboxClient, Unavailable
from backend_client.types.accounts import Role
from portal.session import live
from portal.session.guard import Caller
from portal.session.live import Feed, Feeds
from tests.metering.queries.test_event_list import count, event
from tests.support.ports import free_port
from tests.support.tenants import SampleTenant, sample_tenant
from tests.support.waiting import until

pytestmark = pytest.mark.engine


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connect again at once."""
    monkeypatch.setattr(live, "RESTART_SECONDS", 0.1)


@pytest.fixture
async def own_tenant(database: Database) -> SampleTenant:
    return await sample_tenant(database)


@pytest.fixture
async def callers(
    url: str, database: Database, own_tenant: SampleTenant
) -> AsyncIterator[list[Caller]]:
    """Two people of one tenant, each with a session."""
    async with AsyncExitStack() as stack:
        callers = []
        for name in ("ada", "ben"):
            async with database.begin() as connection:
                user = await upsert_user(
                    connection, issuer="test", subject=name, name=name, email=f"{name}@a.example"
                )
                await add_member(connection, own_tenant.id, user, Role.VIEWER)
                session = await begin_session(connection, user, own_tenant.id, seconds=600)
            client = await stack.enter_async_context(AsyncFareboxClient(url, session.token))
            callers.append(Caller(await client.me.get(), client))
        yield callers


async def known(feed: Feed) -> None:
    async def is_known() -> bool:
        return feed.version is not None

    await until(is_known, seconds=60)


async def test_tabs_share_a_connection_and_all_are_told(
    callers: list[Caller], database: Database, own_tenant: SampleTenant
) -> None:
    feeds = Feeds()
    async with AsyncExitStack() as stack:
        followed = [
            await stack.enter_async_context(feeds.follow(callers[place % 2])) for place in range(20)
        ]
        assert len({id(feed) for feed in followed}) == 1
        await known(followed[0])
        turn = followed[0].turn
        waiting = [asyncio.create_task(feed.turned(turn, 60)) for feed in followed]
        await count(database, event(own_tenant, 1))
        await asyncio.gather(*waiting)
        assert followed[0].turn > turn
        version = feeds.version(callers[0])
        report = await callers[0].client.usage.report()
        assert report is not None
        assert version == report.version
    # Nobody follows any more: nothing is known, and nothing is asked
    assert feeds.version(callers[0]) is None


async def test_another_session_goes_on_where_one_has_ended(
    callers: list[Caller], database: Database, own_tenant: SampleTenant
) -> None:
    feeds = Feeds()
    first, second = callers
    async with feeds.follow(first) as feed, feeds.follow(second):
        await known(feed)
        await first.client.sessions.end()
        turn = feed.turn

        async def is_told() -> bool:
            await count(database, event(own_tenant, feed.turn + 10))
            return feed.turn > turn and feed.version is not None

        await until(is_told, seconds=60)
        assert feed.problem is None


async def test_an_api_that_is_away_is_told_to_all(callers: list[Caller]) -> None:
    nowhere = AsyncFareboxClient(f"http://127.0.0.1:{free_port()}", "fbs_nobody")
    feeds = Feeds()
    async with nowhere, feeds.follow(Caller(callers[0].me, nowhere)) as feed:
        await feed.turned(0, 60)
        assert isinstance(feed.problem, Unavailable)
        assert feed.version is None
