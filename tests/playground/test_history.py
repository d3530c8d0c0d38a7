"""Conversations and prompts are kept for a person, read by those they are shared with, and end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select, update

from backend.playground import conversations as history
from backend.playground.worker import PlaygroundWorker
from backend.storage.database import Database
from backend.storage.tables import audit_entries, conversations, members, saved_prompts
from backend_client import AsyncFareboxClient, Conflict, Forbidden, NotFound
from backend_client.types.accounts import Role
from backend_client.types.playground import (
    ConversationWrite,
    PromptChange,
    PromptCreate,
    PromptVersionCreate,
)
from tests.support.tenants import people_of

pytestmark = pytest.mark.engine

SAID: dict[str, Any] = {"turns": [{"question": "two\nlines\x00 and \u202eturned"}], "models": ["m"]}


def write(title: str, *, shared: bool = False) -> ConversationWrite:
    return ConversationWrite(title=title, content=SAID, shared=shared)


@pytest.fixture
async def people(url: str, database: Database) -> AsyncIterator[dict[str, AsyncFareboxClient]]:
    """Ada and Ben of one tenant, a viewer of it, and Cem of another."""
    async with AsyncExitStack() as stack:
        tokens = await people_of(
            database,
            {"ada": Role.DEVELOPER, "ben": Role.ADMIN, "viewer": Role.VIEWER},
            {"cem": Role.OWNER},
        )
        yield {
            name: await stack.enter_async_context(AsyncFareboxClient(url, token))
            for name, token in tokens.items()
        }


async def test_a_conversation_is_kept_shared_and_removed(
    people: dict[str, AsyncFareboxClient], database: Database
) -> None:
    ada, ben, cem = people["ada"], people["ben"], people["cem"]
    created = await ada.conversations.create(write("First"))
    assert (created.content, created.mine, created.title) == (SAID, True, "First")
    assert created.expires_at - created.updated_at == timedelta(days=30)

    # Nobody else's until it is shared, and then to be read alone
    for other in (ben, cem):
        with pytest.raises(NotFound):
            await other.conversations.get(created.id)
        assert (await other.conversations.list()).items == []
    await ada.conversations.replace(created.id, write("Shared", shared=True))
    read = await ben.conversations.get(created.id)
    assert (read.title, read.mine, read.author, read.content) == ("Shared", False, "ada", SAID)
    with pytest.raises(Forbidden):
        await ben.conversations.replace(created.id, write("Ben's"))
    with pytest.raises(NotFound):
        await ben.conversations.delete(created.id)
    with pytest.raises(NotFound):
        await cem.conversations.get(created.id)
    with pytest.raises(Forbidden):
        await people["viewer"].conversations.list()

    # The latest first, page by page
    second = await ada.conversations.create(write("Second"))
    page = await ada.conversations.list(limit=1)
    assert [entry.id for entry in page.items] == [second.id]
    rest = await ada.conversations.list(limit=1, cursor=page.next_cursor)
    assert ([entry.id for entry in rest.items], rest.next_cursor) == ([created.id], None)
    assert page.kept_days == 30

    await ada.conversations.delete(second.id)
    with pytest.raises(NotFound):
        await ada.conversations.delete(second.id)
    async with database.begin() as connection:
        actions = await connection.scalars(
            select(audit_entries.c.action).where(audit_entries.c.target == second.id)
        )
        assert list(actions) == ["conversation.remove"]
    await ada.conversations.delete_all()
    await ada.conversations.delete_all()
    assert (await ada.conversations.list()).items == []


async def test_what_is_old_or_too_much_goes_and_a_members_go_with_them(
    people: dict[str, AsyncFareboxClient], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, ben = people["ada"], people["ben"]
    old = await ada.conversations.create(write("Old"))
    async with database.begin() as connection:
        long_ago = datetime.now(UTC) - timedelta(days=30, minutes=1)
        await connection.execute(update(conversations).values(updated_at=long_ago))
    kept = await ada.conversations.create(write("Kept"))
    theirs = await ben.conversations.create(write("Ben's"))
    for _ in range(2):
        await PlaygroundWorker(database, 30).remove_old()
    with pytest.raises(NotFound):
        await ada.conversations.get(old.id)

    monkeypatch.setattr(history, "MOST_CONVERSATIONS", 2)
    for title in ("Newer", "Newest"):
        await ada.conversations.create(write(title))
    titles = [entry.title for entry in (await ada.conversations.list()).items]
    assert titles == ["Newest", "Newer"]
    with pytest.raises(NotFound):
        await ada.conversations.get(kept.id)

    me = (await ben.me.get()).user_id
    async with database.begin() as connection:
        await connection.execute(members.delete().where(members.c.user_id == me))
        left = await connection.scalars(select(conversations.c.id))
        assert theirs.id not in set(left)

    await PlaygroundWorker(database, 0).remove_old()
    assert (await ada.conversations.list()).items == []


async def test_where_none_are_kept_none_are_taken(
    people: dict[str, AsyncFareboxClient], database: Database
) -> None:
    principal: Any = None
    async with database.begin() as connection:
        with pytest.raises(history.HistoryOff):
            await history.create_conversation(
                connection, principal, write("No"), now=datetime.now(UTC), kept_days=0
            )
        with pytest.raises(history.HistoryOff):
            await history.replace_conversation(
                connection, principal, "cnv_1", write("No"), now=datetime.now(UTC), kept_days=0
            )


async def test_a_prompt_has_versions_that_stay(
    people: dict[str, AsyncFareboxClient], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, ben, cem = people["ada"], people["ben"], people["cem"]
    created = await ada.prompts.create(PromptCreate(name="Translator", content={"n": [1]}))
    assert (created.version, created.mine, created.shared) == (1, True, False)
    second = await ada.prompts.add_version(created.id, PromptVersionCreate(content={"n": [2]}))
    again = await ada.prompts.add_version(created.id, PromptVersionCreate(content={"n": [2]}))
    assert (second.version, again) == (2, second)
    async with database.begin() as connection:
        acts = await connection.scalars(
            select(audit_entries.c.action).where(audit_entries.c.target == created.id)
        )
        assert sorted(acts) == ["prompt.create", "prompt.version"]
    for other in (ben, cem):
        with pytest.raises(NotFound):
            await other.prompts.versions(created.id).all()
    await ada.prompts.update(created.id, PromptChange(shared=True))
    (listed,) = await ben.prompts.list().all()
    assert (listed.name, listed.mine, listed.author, listed.version) == (
        *("Translator", False, "ada"),
        2,
    )
    versions = await ben.prompts.versions(created.id, limit=1).all()
    assert [(version.version, version.content) for version in versions] == [
        (2, {"n": [2]}),
        (1, {"n": [1]}),
    ]
    for refused in (
        ben.prompts.update(created.id, PromptChange(name="Ben's")),
        ben.prompts.add_version(created.id, PromptVersionCreate(content={})),
        ben.prompts.delete(created.id),
    ):
        with pytest.raises(Forbidden):
            await refused
    assert await cem.prompts.list().all() == []

    monkeypatch.setattr("backend.playground.prompts.MOST_VERSIONS", 2)
    monkeypatch.setattr("backend.playground.prompts.MOST_PROMPTS", 1)
    with pytest.raises(Conflict):
        await ada.prompts.add_version(created.id, PromptVersionCreate(content={"n": [3]}))
    with pytest.raises(Conflict):
        await ada.prompts.create(PromptCreate(name="More", content={}))
    await ada.prompts.delete(created.id)
    async with database.begin() as connection:
        assert await connection.scalar(select(func.count()).select_from(saved_prompts)) == 0


DEEP: list[Any] = []
for _ in range(300):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "content",
    [{"x": "a" * 600_000}, {"x": float("nan")}, {"x": "\ud800"}, {"x": DEEP}, []],
    ids=["long", "nan", "half", "deep", "list"],
)
def test_what_can_not_be_kept_is_not_sent(content: Any) -> None:
    with pytest.raises(ValidationError):
        ConversationWrite(title="No", content=content)
