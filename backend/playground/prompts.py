"""Prompts that are kept, in versions that nobody changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.idempotency import claim_key
from backend.accounts.principal import Principal
from backend.ids import new_id
from backend.kit.pages import Cursor, page_of
from backend.playground.access import own, readable
from backend.playground.errors import NotTheAuthor, PromptNotFound, TooManyPrompts
from backend.storage.tables import saved_prompt_versions, saved_prompts, users
from backend_client.types.common import Page
from backend_client.types.playground import (
    PromptChange,
    PromptCreate,
    PromptVersion,
    SavedPrompt,
)

MOST_PROMPTS: Final = 500
"""Of a person."""
MOST_VERSIONS: Final = 1000


async def create_prompt(
    connection: AsyncConnection,
    caller: Principal,
    wanted: PromptCreate,
    *,
    now: datetime,
    idempotency_key: str | None = None,
) -> SavedPrompt:
    """Keep a prompt with its first version; raise ``TooManyPrompts``.

    With an ``idempotency_key`` used before, return the prompt of then.
    """
    prompt_id = new_id("prm")
    if idempotency_key is not None:
        request = f"prompt {caller.id} {wanted.model_dump_json()}"
        created_id = await claim_key(
            connection, caller.tenant_id, idempotency_key, request, prompt_id
        )
        if created_id is not None:
            return await find_prompt(connection, caller, created_id)
    present = await connection.scalar(
        select(func.count()).where(
            saved_prompts.c.tenant_id == caller.tenant_id, saved_prompts.c.user_id == caller.id
        )
    )
    if (present or 0) >= MOST_PROMPTS:
        raise TooManyPrompts()
    await connection.execute(
        insert(saved_prompts).values(
            tenant_id=caller.tenant_id,
            id=prompt_id,
            user_id=caller.id,
            name=wanted.name,
            shared=wanted.shared,
            created_at=now,
            updated_at=now,
        )
    )
    await _add(connection, caller, prompt_id, 1, wanted.content, now)
    await record(connection, caller, "prompt.create", prompt_id)
    return await find_prompt(connection, caller, prompt_id)


async def list_prompts(
    connection: AsyncConnection, caller: Principal, *, cursor: str | None, limit: int
) -> Page[SavedPrompt]:
    """Return a page of the person's prompts and those shared with them, newest first."""
    query = (
        select(saved_prompts, users.c.name.label("author"))
        .outerjoin(users, users.c.id == saved_prompts.c.user_id)
        .where(readable(saved_prompts, caller))
        .order_by(saved_prompts.c.id.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(saved_prompts.c.id < Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    return page_of([_prompt(row, caller) for row in rows], limit, lambda prompt: prompt.id)


async def find_prompt(
    connection: AsyncConnection, caller: Principal, prompt_id: str
) -> SavedPrompt:
    """Return a prompt that the caller may read; raise ``PromptNotFound``."""
    row = await connection.execute(
        select(saved_prompts, users.c.name.label("author"))
        .outerjoin(users, users.c.id == saved_prompts.c.user_id)
        .where(readable(saved_prompts, caller), saved_prompts.c.id == prompt_id)
    )
    prompt = row.mappings().first()
    if prompt is None:
        raise PromptNotFound()
    return _prompt(prompt, caller)


async def change_prompt(
    connection: AsyncConnection,
    caller: Principal,
    prompt_id: str,
    change: PromptChange,
    *,
    now: datetime,
) -> SavedPrompt:
    """Rename or share one of the caller's prompts.

    Raises:
        PromptNotFound: there is none that the caller may read.
        NotTheAuthor: it is another's.
    """
    prompt = await _own(connection, caller, prompt_id)
    values = change.model_dump(exclude_none=True)
    await connection.execute(
        update(saved_prompts)
        .where(own(saved_prompts, caller, prompt.id))
        .values(**values, updated_at=now)
    )
    return await find_prompt(connection, caller, prompt_id)


async def remove_prompt(connection: AsyncConnection, caller: Principal, prompt_id: str) -> None:
    """Remove one of the caller's prompts with its versions; raises as ``change_prompt`` does."""
    await _own(connection, caller, prompt_id)
    await connection.execute(delete(saved_prompts).where(own(saved_prompts, caller, prompt_id)))


async def add_version(
    connection: AsyncConnection,
    caller: Principal,
    prompt_id: str,
    content: dict[str, Any],
    *,
    now: datetime,
) -> PromptVersion:
    """Add the next version to one of the caller's prompts; what the newest holds already, not.

    Raises as ``change_prompt`` does, and ``TooManyPrompts`` for more versions than are kept.
    """
    # Two that add at once wait here, and count on
    await connection.execute(
        select(saved_prompts.c.id).where(own(saved_prompts, caller, prompt_id)).with_for_update()
    )
    prompt = await _own(connection, caller, prompt_id)
    (newest,) = (await list_versions(connection, caller, prompt_id, cursor=None, limit=1)).items
    if newest.content == content:
        return newest
    if prompt.version >= MOST_VERSIONS:
        raise TooManyPrompts()
    version = prompt.version + 1
    await _add(connection, caller, prompt_id, version, content, now)
    await connection.execute(
        update(saved_prompts)
        .where(own(saved_prompts, caller, prompt_id))
        .values(version=version, updated_at=now)
    )
    await record(connection, caller, "prompt.version", prompt_id, detail={"version": version})
    (added,) = (await list_versions(connection, caller, prompt_id, cursor=None, limit=1)).items
    return added


async def list_versions(
    connection: AsyncConnection,
    caller: Principal,
    prompt_id: str,
    *,
    cursor: str | None,
    limit: int,
) -> Page[PromptVersion]:
    """Return a page of a prompt's versions, newest first; raise ``PromptNotFound``."""
    await find_prompt(connection, caller, prompt_id)
    versions = saved_prompt_versions.c
    query = (
        select(saved_prompt_versions, users.c.name.label("author"))
        .outerjoin(users, users.c.id == versions.user_id)
        .where(versions.tenant_id == caller.tenant_id, versions.prompt_id == prompt_id)
        .order_by(versions.version.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(versions.version < Cursor.read_number(cursor))
    rows = (await connection.execute(query)).mappings().all()
    items = [
        PromptVersion(
            version=row["version"],
            content=json.loads(row["content"]),
            author=row["author"] or row["user_id"],
            created_at=row["created_at"],
        )
        for row in rows
    ]
    return page_of(items, limit, lambda version: str(version.version))


async def _own(connection: AsyncConnection, caller: Principal, prompt_id: str) -> SavedPrompt:
    prompt = await find_prompt(connection, caller, prompt_id)
    if not prompt.mine:
        raise NotTheAuthor()
    return prompt


async def _add(
    connection: AsyncConnection,
    caller: Principal,
    prompt_id: str,
    version: int,
    content: dict[str, Any],
    now: datetime,
) -> None:
    await connection.execute(
        insert(saved_prompt_versions).values(
            tenant_id=caller.tenant_id,
            prompt_id=prompt_id,
            version=version,
            content=json.dumps(content),
            user_id=caller.id,
            created_at=now,
        )
    )


def _prompt(row: Mapping[Any, Any], caller: Principal) -> SavedPrompt:
    return SavedPrompt(
        id=row["id"],
        name=row["name"],
        shared=row["shared"],
        mine=row["user_id"] == caller.id,
        author=row["author"] or row["user_id"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
