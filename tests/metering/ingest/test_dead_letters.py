"""What the worker sets aside is kept with its reason, and counted once it is put right."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from backend.accounts.applications import list_applications
from backend.accounts.tenants import create_tenant
from backend.metering.events import AcceptedEvent, encode
from backend.metering.ingest.streams import events_subject
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import audit_entries, rollups
from backend_client import AsyncFareboxClient, InvalidInput, NotFound
from backend_client.types.accounts import TenantCreate
from backend_client.types.dead_letters import DeadLetter, DeadLetterReplay
from tests.support.commands import run_farebox
from tests.support.operators import operator_secret
from tests.support.waiting import until

pytestmark = pytest.mark.engine

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
async def client(database: Database, url: str) -> Any:
    async with database.begin() as connection:
        secret = await operator_secret(connection)
    async with AsyncFareboxClient(url, secret) as client:
        yield client


@pytest.fixture
async def sample(database: Database) -> tuple[str, str]:
    """A tenant's id and its application's."""
    async with database.begin() as connection:
        tenant = await create_tenant(connection, TenantCreate(slug="sample", name="Sample"))
        page = await list_applications(connection, tenant.id, cursor=None, limit=1)
        return tenant.id, page.items[0].id


def event(sample: tuple[str, str], name: str, model: str = "large") -> AcceptedEvent:
    return AcceptedEvent(
        tenant_id=sample[0],
        source="test",
        id=name,
        time=NOW,
        received_at=NOW,
        application_id=sample[1],
        model=model,
        quantities={"input_tokens": Decimal("1.5")},
    )


async def put_on_stream(app: FastAPI, settings: Settings, *messages: bytes) -> None:
    """Past ingest, as a fault of an earlier version might have."""
    js = await app.state.services.stream.jetstream()
    for message in messages:
        await js.publish(events_subject(settings.stream_name), message)


async def letters(client: AsyncFareboxClient, count: int) -> list[DeadLetter]:
    async def there_are() -> bool:
        return len(await client.dead_letters.list().all()) == count

    await until(there_are)
    return await client.dead_letters.list().all()


async def counted(database: Database) -> Decimal:
    async with database.begin() as connection:
        return await connection.scalar(select(func.sum(rollups.c.quantity))) or Decimal(0)


async def test_a_letter_is_read_put_right_and_counted(
    app: FastAPI,
    api_settings: Settings,
    client: AsyncFareboxClient,
    database: Database,
    sample: tuple[str, str],
    worker: None,
) -> None:
    # PostgreSQL keeps no NUL in a text
    poison = [event(sample, "1"), event(sample, "2", model="la\0rge")]
    await put_on_stream(app, api_settings, encode(poison), encode([event(sample, "3")]))
    [letter] = await letters(client, 1)
    # Alone: what came with it is counted
    assert letter.event_count == 1
    assert letter.reason.startswith("refused: ")
    assert abs((letter.set_aside_at - datetime.now(UTC)).total_seconds()) < 60
    content = await client.dead_letters.get(letter.sequence)
    assert content.text is None
    assert content.events is not None
    assert [event["id"] for event in content.events] == ["2"]
    assert content.events[0]["data"]["quantities"] == {"input_tokens": "1.5"}

    # As it is it would only come back; and so it does
    await client.dead_letters.replay(letter.sequence, DeadLetterReplay())
    [again] = await letters(client, 1)
    assert again.sequence > letter.sequence

    # One event is wrong: nothing is sent, and the letter stays
    right = {**content.events[0], "data": {**content.events[0]["data"], "model": "large"}}
    both = [{**right, "id": "4"}, content.events[0]]
    with pytest.raises(InvalidInput) as refused:
        await client.dead_letters.replay(again.sequence, DeadLetterReplay(events=both))
    assert [error.field for error in refused.value.errors] == ["events.1.data.model"]
    assert len(await client.dead_letters.list().all()) == 1

    result = await client.dead_letters.replay(again.sequence, DeadLetterReplay(events=[right]))
    assert (result.received, result.accepted) == (1, 1)
    assert await client.dead_letters.list().all() == []

    async def all_three() -> bool:
        return await counted(database) == Decimal("4.5")

    await until(all_three)
    async with database.begin() as connection:
        # Beside the operator key of this test
        done = audit_entries.c.action.startswith("dead_letter.")
        actions = await connection.scalars(select(audit_entries.c.action).where(done))
        assert actions.all() == ["dead_letter.replay", "dead_letter.replay"]


async def test_what_can_not_be_read_is_shown_as_text_and_can_be_discarded(
    app: FastAPI, api_settings: Settings, client: AsyncFareboxClient, worker: None
) -> None:
    await put_on_stream(app, api_settings, b"not \xff json", b'{"a": 1}')
    first, second = await letters(client, 2)
    assert (first.event_count, second.event_count) == (None, None)
    assert first.reason.startswith("not readable: ")
    content = await client.dead_letters.get(first.sequence)
    assert (content.events, content.text) == (None, "not \ufffd json")
    with pytest.raises(InvalidInput, match="send its events in its place"):
        await client.dead_letters.replay(first.sequence, DeadLetterReplay())
    await client.dead_letters.discard(first.sequence)
    assert await client.dead_letters.list().all() == [second]
    (entry, *_) = await client.audit.list_all().all()
    # It did not say whose it was
    assert (entry.action, entry.tenant_id) == ("dead_letter.discard", None)
    assert entry.target == str(first.sequence)
    for gone in (
        client.dead_letters.get(first.sequence),
        client.dead_letters.discard(first.sequence),
        client.dead_letters.replay(first.sequence, DeadLetterReplay()),
    ):
        with pytest.raises(NotFound):
            await gone


async def test_pages_and_wrong_cursors(
    app: FastAPI,
    api_settings: Settings,
    url: str,
    client: AsyncFareboxClient,
    database: Database,
    worker: None,
) -> None:
    await put_on_stream(app, api_settings, *(b"%d" % number for number in range(5)))
    queue = await letters(client, 5)
    async with database.begin() as connection:
        secret = await operator_secret(connection, "pages")
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as http:
        page = (await http.get("/v1/dead-letters", params={"limit": 3})).json()
        cursor = page["next_cursor"]
        rest = (await http.get("/v1/dead-letters", params={"cursor": cursor})).json()
        wrong = await http.get("/v1/dead-letters", params={"cursor": "eA"})
    sequences = [letter["sequence"] for letter in page["items"] + rest["items"]]
    assert sequences == [letter.sequence for letter in queue]
    assert rest["next_cursor"] is None
    assert wrong.status_code == 422


async def farebox(
    url: str, settings: Settings, *arguments: str, answer: str = ""
) -> tuple[int, str, str]:
    """Run ``farebox dead-letters``; return its status and what it wrote."""
    assert settings.database_url is not None
    environment = {
        "DATABASE_URL": settings.database_url,
        "FAREBOX_HOME": str(settings.home),
        "FAREBOX_API_PORT": url.rpartition(":")[2],
        "COLUMNS": "200",
    }
    done = await asyncio.to_thread(
        run_farebox, "dead-letters", *arguments, environment=environment, typed=answer
    )
    return done.returncode, done.stdout, done.stderr


async def test_an_operator_puts_a_letter_right_on_the_command_line(
    app: FastAPI,
    url: str,
    api_settings: Settings,
    client: AsyncFareboxClient,
    database: Database,
    sample: tuple[str, str],
    worker: None,
    tmp_path: Path,
) -> None:
    run = partial(farebox, url, api_settings)
    assert await run("list") == (0, "There are no dead letters.\n", "")
    await put_on_stream(app, api_settings, encode([event(sample, "1", model="la\0rge")]), b"none")
    first, second = [str(letter.sequence) for letter in await letters(client, 2)]
    _, listed, _ = await run("list")
    assert "refused: " in listed
    assert "not readable" in listed

    _, shown, reason = await run("show", first)
    assert "refused: " in reason
    wrong, right = tmp_path / "wrong.json", tmp_path / "right.json"
    wrong.write_text(shown)
    right.write_text(shown.replace("\\u0000", ""))
    status, _, error = await run("replay", first, "--events", str(wrong))
    assert (status, "events.0.data.model: " in error) == (1, True)
    assert (await run("replay", first, "--events", str(right)))[:2] == (
        0,
        "1 events are on their way.\n",
    )
    assert (await run("show", second))[1] == "none\n"
    assert (await run("discard", second, answer="n\n"))[0] == 1
    assert len(await client.dead_letters.list().all()) == 1
    assert (await run("discard", second, "--yes"))[:2] == (0, f"Letter {second} is deleted.\n")
    status, _, error = await run("show", second)
    assert (status, "There is no such dead letter" in error) == (1, True)
    await until(lambda: _counted(database, Decimal("1.5")))


async def _counted(database: Database, quantity: Decimal) -> bool:
    return await counted(database) == quantity
