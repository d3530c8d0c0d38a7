"""A customer's API keys, made, rotated and revoked with notice to whoever asked for it.

What is done to keys is in ``accounts``, which knows of no notices.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.keys import keys, rotation
from backend.accounts.principal import Principal
from backend.outbox.notices import Notice
from backend.outbox.queue import enqueue_notices
from backend_client.types.accounts import ApiKey, ApiKeyCreate, ApiKeyCreated
from backend_client.types.notifications import (
    KeyCreated,
    KeyRevoked,
    KeyRotated,
    NotificationKind,
)


async def create_key(
    connection: AsyncConnection,
    caller: Principal,
    wanted: ApiKeyCreate,
    *,
    idempotency_key: str | None = None,
) -> ApiKeyCreated:
    """Create a key, and give notice; raises as ``accounts.keys.create_key`` does."""
    key = await keys.create_key(connection, caller, wanted, idempotency_key=idempotency_key)
    data = KeyCreated.model_validate(_facts(key, caller))
    await _notify(connection, caller, NotificationKind.KEY_CREATED, key.id, data)
    return key


async def rotate_key(
    connection: AsyncConnection, caller: Principal, key_id: str, *, grace_seconds: int
) -> ApiKeyCreated:
    """Give a key a new secret, and notice; raises as ``accounts.rotation.rotate_key`` does."""
    key = await rotation.rotate_key(connection, caller, key_id, grace_seconds=grace_seconds)
    facts = {**_facts(key, caller), "previous_until": key.previous_until}
    subject = f"{key.id} {key.rotated_at}"
    data = KeyRotated.model_validate(facts)
    await _notify(connection, caller, NotificationKind.KEY_ROTATED, subject, data)
    return key


async def revoke_key(connection: AsyncConnection, caller: Principal, key_id: str) -> None:
    """Revoke a key, and give notice once; raises as ``accounts.keys.revoke_key`` does."""
    await keys.revoke_key(connection, caller, key_id)
    key = await keys.find_key(connection, caller.tenant_id, key_id)
    data = KeyRevoked.model_validate(_facts(key, caller))
    await _notify(connection, caller, NotificationKind.KEY_REVOKED, key.id, data)


def _facts(key: ApiKey, caller: Principal) -> dict[str, object]:
    return {
        "key_id": key.id,
        "name": key.name,
        "application_id": key.application_id,
        "last_four": key.last_four,
        "by": caller.id,
    }


async def _notify(
    connection: AsyncConnection,
    caller: Principal,
    kind: NotificationKind,
    subject: str,
    data: KeyCreated,
) -> None:
    notice = Notice(kind, caller.tenant_id, subject, data, datetime.now(UTC))
    await enqueue_notices(connection, [notice])
