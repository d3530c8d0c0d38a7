"""New secrets for API keys, and the end of their earlier ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.errors import TooManySecrets
from backend.accounts.keys.keys import find_key, locked_key, require_key
from backend.accounts.principal import Principal
from backend.accounts.secrets import API_KEY, new_secret
from backend.storage.tables import api_keys, retired_secrets
from backend_client.types.accounts import ApiKeyCreated

_MOST_RETIRED: Final = 5


async def rotate_key(
    connection: AsyncConnection, caller: Principal, key_id: str, *, grace_seconds: int
) -> ApiKeyCreated:
    """Give a key a new secret; the old one works for ``grace_seconds`` more.

    Without grace every earlier secret ends, those of earlier rotations too. The key keeps its id,
    so its usage continues under it. Raises ``Forbidden`` for a service account's without the role
    for it, ``NotFound``, and ``Conflict`` if it is revoked or too
    many old secrets still work.
    """
    old_hash = await require_key(connection, caller, key_id)
    now = datetime.now(UTC)
    if grace_seconds:
        await _retire(connection, caller.tenant_id, key_id, old_hash, now, grace_seconds)
    else:
        await _end_earlier(connection, caller.tenant_id, key_id)
    secret = new_secret(API_KEY)
    await connection.execute(
        update(api_keys)
        .where(api_keys.c.tenant_id == caller.tenant_id, api_keys.c.id == key_id)
        .values(secret_hash=secret.hash, last_four=secret.last_four, rotated_at=now)
    )
    detail = {"grace_seconds": grace_seconds}
    await record(connection, caller, "key.rotate", key_id, detail=detail)
    key = await find_key(connection, caller.tenant_id, key_id)
    return ApiKeyCreated.model_validate({**key.model_dump(), "secret": secret.value})


async def end_grace(connection: AsyncConnection, caller: Principal, key_id: str) -> None:
    """End every earlier secret of a key now; may be repeated.

    Raises ``NotFound``, and ``Conflict`` if the key is revoked.
    """
    await locked_key(connection, caller.tenant_id, key_id)
    ended = await _end_earlier(connection, caller.tenant_id, key_id)
    if ended:
        await record(connection, caller, "key.end_grace", key_id, detail={"secrets": ended})


async def _retire(
    connection: AsyncConnection,
    tenant_id: str,
    key_id: str,
    old_hash: bytes,
    now: datetime,
    grace_seconds: int,
) -> None:
    of_key = (retired_secrets.c.tenant_id == tenant_id, retired_secrets.c.key_id == key_id)
    await connection.execute(
        delete(retired_secrets).where(*of_key, retired_secrets.c.works_until <= now)
    )
    working = select(func.count()).select_from(retired_secrets).where(*of_key)
    if (await connection.scalar(working) or 0) >= _MOST_RETIRED:
        raise TooManySecrets(
            f"{_MOST_RETIRED} old secrets of this key still work. Wait until one ends, end them "
            "all, or make another key."
        )
    await connection.execute(
        insert(retired_secrets).values(
            tenant_id=tenant_id,
            key_id=key_id,
            secret_hash=old_hash,
            works_until=now + timedelta(seconds=grace_seconds),
        )
    )


async def _end_earlier(connection: AsyncConnection, tenant_id: str, key_id: str) -> int:
    """Delete a key's earlier secrets; return how many there were."""
    ended = await connection.execute(
        delete(retired_secrets).where(
            retired_secrets.c.tenant_id == tenant_id, retired_secrets.c.key_id == key_id
        )
    )
    return ended.rowcount
