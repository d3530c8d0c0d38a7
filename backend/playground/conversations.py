"""A person's conversations: kept as they go on, listed, removed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import and_, delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.idempotency import claim_key
from backend.accounts.principal import Principal
from backend.ids import new_id
from backend.kit.errors import InvalidCursor
from backend.kit.pages import Cursor, page_of
from backend.playground.access import own, readable
from backend.playground.errors import ConversationNotFound, HistoryOff, NotTheAuthor
from backend.storage.tables import conversations, users
from backend_client.types.playground import (
    Conversation,
    ConversationEntry,
    ConversationHistory,
    ConversationWrite,
)

MOST_CONVERSATIONS: Final = 500
"""Of a person; the oldest go first."""

_place = msgspec.json.Decoder(tuple[datetime, str])
_KEY = (conversations.c.updated_at, conversations.c.id)
_LISTED = [column for column in conversations.c if column.name != "content"]


async def create_conversation(
    connection: AsyncConnection,
    caller: Principal,
    wanted: ConversationWrite,
    *,
    now: datetime,
    kept_days: int,
    idempotency_key: str | None = None,
) -> Conversation:
    """Keep a conversation; raise ``HistoryOff`` where none are kept.

    With an ``idempotency_key`` used before, return the conversation of then.
    """
    if kept_days == 0:
        raise HistoryOff()
    conversation_id = new_id("cnv")
    if idempotency_key is not None:
        request = f"conversation {caller.id} {wanted.model_dump_json()}"
        created_id = await claim_key(
            connection, caller.tenant_id, idempotency_key, request, conversation_id
        )
        if created_id is not None:
            return await find_conversation(connection, caller, created_id, kept_days=kept_days)
    await connection.execute(
        insert(conversations).values(
            tenant_id=caller.tenant_id,
            id=conversation_id,
            user_id=caller.id,
            created_at=now,
            **_written(wanted, now),
        )
    )
    mine = and_(conversations.c.tenant_id == caller.tenant_id, conversations.c.user_id == caller.id)
    beyond = (
        select(conversations.c.id)
        .where(mine)
        .order_by(*(column.desc() for column in _KEY))
        .offset(MOST_CONVERSATIONS)
    )
    await connection.execute(delete(conversations).where(mine, conversations.c.id.in_(beyond)))
    return await find_conversation(connection, caller, conversation_id, kept_days=kept_days)


async def replace_conversation(
    connection: AsyncConnection,
    caller: Principal,
    conversation_id: str,
    wanted: ConversationWrite,
    *,
    now: datetime,
    kept_days: int,
) -> Conversation:
    """Keep a conversation as it is now; may be repeated.

    Raises:
        HistoryOff: none are kept.
        ConversationNotFound: there is none that the caller may read.
        NotTheAuthor: it is another's.
    """
    if kept_days == 0:
        raise HistoryOff()
    await connection.execute(
        update(conversations)
        .where(own(conversations, caller, conversation_id))
        .values(_written(wanted, now))
    )
    kept = await find_conversation(connection, caller, conversation_id, kept_days=kept_days)
    if not kept.mine:
        raise NotTheAuthor()
    return kept


def _written(wanted: ConversationWrite, now: datetime) -> dict[str, Any]:
    return {
        "title": wanted.title,
        "content": json.dumps(wanted.content),
        "shared": wanted.shared,
        "updated_at": now,
    }


async def list_conversations(
    connection: AsyncConnection,
    caller: Principal,
    *,
    cursor: str | None,
    limit: int,
    kept_days: int,
) -> ConversationHistory:
    """Return a page of the person's conversations and those shared with them, latest first.

    Raises ``InvalidInput`` for a cursor that no page returned.
    """
    query = (
        select(*_LISTED, users.c.name.label("author"))
        .outerjoin(users, users.c.id == conversations.c.user_id)
        .where(readable(conversations, caller))
        .order_by(*(column.desc() for column in _KEY))
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(tuple_(*_KEY) < tuple_(*_read(cursor)))
    rows = (await connection.execute(query)).mappings().all()
    entries = [
        ConversationEntry.model_validate(_shown(row, caller, kept_days=kept_days)) for row in rows
    ]
    page = page_of(entries, limit, _write)
    return ConversationHistory(items=page.items, next_cursor=page.next_cursor, kept_days=kept_days)


async def find_conversation(
    connection: AsyncConnection, caller: Principal, conversation_id: str, *, kept_days: int
) -> Conversation:
    """Return a conversation that the caller may read; raise ``ConversationNotFound``."""
    row = await connection.execute(
        select(conversations, users.c.name.label("author"))
        .outerjoin(users, users.c.id == conversations.c.user_id)
        .where(readable(conversations, caller), conversations.c.id == conversation_id)
    )
    conversation = row.mappings().first()
    if conversation is None:
        raise ConversationNotFound()
    content = json.loads(conversation["content"])
    shown = _shown(conversation, caller, kept_days=kept_days)
    return Conversation.model_validate({**shown, "content": content})


async def remove_conversation(
    connection: AsyncConnection, caller: Principal, conversation_id: str
) -> None:
    """Remove one of the caller's conversations; raise ``ConversationNotFound``."""
    removed = await connection.execute(
        delete(conversations)
        .where(own(conversations, caller, conversation_id))
        .returning(conversations.c.id)
    )
    if removed.first() is None:
        raise ConversationNotFound()


async def remove_all(connection: AsyncConnection, caller: Principal) -> int:
    """Remove all of the caller's conversations; may be repeated. Return how many there were."""
    removed = await connection.execute(
        delete(conversations)
        .where(conversations.c.tenant_id == caller.tenant_id, conversations.c.user_id == caller.id)
        .returning(conversations.c.id)
    )
    return len(removed.all())


async def remove_old(connection: AsyncConnection, *, kept_days: int) -> None:
    """Remove what was kept for long enough: with 0 days, all."""
    oldest = func.now() - timedelta(days=kept_days)
    await connection.execute(delete(conversations).where(conversations.c.updated_at < oldest))


def _shown(row: Mapping[Any, Any], caller: Principal, *, kept_days: int) -> dict[str, Any]:
    return {
        "id": row["id"],
        "title": row["title"],
        "shared": row["shared"],
        "mine": row["user_id"] == caller.id,
        "author": row["author"] or row["user_id"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "expires_at": row["updated_at"] + timedelta(days=kept_days),
    }


def _write(entry: ConversationEntry) -> str:
    return msgspec.json.encode((entry.updated_at, entry.id)).decode()


def _read(cursor: str) -> tuple[datetime, str]:
    try:
        place = _place.decode(Cursor.read(cursor))
    except msgspec.DecodeError:
        raise InvalidCursor() from None
    if place[0].tzinfo is None:
        raise InvalidCursor()
    return place
