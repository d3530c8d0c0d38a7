"""Changes of usage are told to those who follow it, and one question a poll finds them all."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, aclosing

import httpx
import pytest
from sqlalchemy import event as on
from sqlalchemy.exc import SQLAlchemyError

from backend.metering.errors import TooManyTails
from backend.metering.queries import changes as module
from backend.metering.queries.changes import Changes
from backend.storage.database import Database
from backend_client import AsyncFareboxClient
from tests.metering.queries.test_event_list import count, event
from tests.support.tenants import sample_tenant

pytestmark = pytest.mark.engine


async def _allowed() -> None:
    """Everybody goes on."""


async def test_a_change_is_told_and_a_rest_is_a_sign_of_life(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await sample_tenant(database)
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.2)
    changes = Changes(database)
    async with asyncio.timeout(60), aclosing(changes.follow(tenant.id, _allowed)) as versions:
        first = await anext(versions)
        assert first is not None
        assert await anext(versions) is None
        await count(database, event(tenant, 1))
        while (now := await anext(versions)) is None:
            pass
        assert now.version > first.version
        assert now.last_event_at is not None


async def test_one_question_a_poll_is_for_all_who_follow(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenants = [await sample_tenant(database, slug=f"t{number}") for number in range(5)]
    changes = Changes(database)
    async with asyncio.timeout(60), AsyncExitStack() as stack:
        followed = [
            await stack.enter_async_context(aclosing(changes.follow(tenant.id, _allowed)))
            for tenant in tenants
            for _ in range(3)
        ]
        for versions in followed:
            await anext(versions)
        asked: list[str] = []

        def note(*arguments: object) -> None:
            asked.append(str(arguments[2]))

        on.listen(database.engine.sync_engine, "before_cursor_execute", note)
        waiting = [asyncio.create_task(anext(versions)) for versions in followed]
        await count(database, *(event(tenant, 1) for tenant in tenants))
        answers = await asyncio.gather(*waiting)
        on.remove(database.engine.sync_engine, "before_cursor_execute", note)
    assert all(version is not None and version.last_event_at for version in answers)
    polls = [statement for statement in asked if statement.startswith("SELECT usage_versions")]
    # Several polls may pass before the counting commits, but never one for each who follows
    assert len(polls) < len(followed)


async def test_more_than_a_tenant_may_have_are_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await sample_tenant(database)
    monkeypatch.setattr(module, "_MOST_OF_A_TENANT", 1)
    other = await sample_tenant(database, slug="other")
    changes = Changes(database)
    async with aclosing(changes.follow(tenant.id, _allowed)) as versions:
        await anext(versions)
        with pytest.raises(TooManyTails):
            await anext(changes.follow(tenant.id, _allowed))
        async with aclosing(changes.follow(other.id, _allowed)) as others:
            assert await anext(others) is not None
    # Whoever leaves makes room
    async with aclosing(changes.follow(tenant.id, _allowed)) as versions:
        assert await anext(versions) is not None


async def test_who_follows_is_told_that_the_database_is_away(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await sample_tenant(database)
    changes = Changes(database)
    async with asyncio.timeout(60), aclosing(changes.follow(tenant.id, _allowed)) as versions:
        await anext(versions)

        async def away(*arguments: object) -> dict[str, object]:
            raise SQLAlchemyError("away")

        with monkeypatch.context() as patch:
            patch.setattr(module, "_versions", away)
            with pytest.raises(SQLAlchemyError, match="away"):
                [version async for version in versions]
    async with asyncio.timeout(60), aclosing(changes.follow(tenant.id, _allowed)) as versions:
        assert await anext(versions) is not None


async def test_it_ends_with_its_credential(url: str, database: Database) -> None:
    tenant = await sample_tenant(database)
    async with (
        asyncio.timeout(60),
        httpx.AsyncClient(base_url=url, headers=tenant.headers, timeout=30) as client,
        client.stream("GET", "/v1/usage/changes") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()
        first = json.loads((await anext(lines)).removeprefix("data: "))
        assert first == {"version": 0, "last_event_at": None}
        async with database.raw() as connection:
            await connection.execute("UPDATE api_keys SET revoked_at = now()")
        # It ends: by itself it would do so in a quarter of an hour
        [line async for line in lines]


async def test_the_client_reads_the_versions(url: str, database: Database) -> None:
    tenant = await sample_tenant(database)
    await count(database, event(tenant, 1))
    key = tenant.headers["authorization"].removeprefix("Bearer ")
    async with AsyncFareboxClient(url, key) as client:
        report = await client.usage.report()
        versions = [version async for version in client.usage.changes(seconds=0)]
    assert report is not None
    assert [each.version for each in versions] == [report.version]
