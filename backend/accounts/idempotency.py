"""``Idempotency-Key``: a repeated create returns the first one's result."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.errors import IdempotencyKeyReused
from backend.accounts.secrets import hash_secret
from backend.storage.tables import idempotency_keys


async def claim_key(
    connection: AsyncConnection, tenant_id: str, key: str, request: str, target_id: str
) -> str | None:
    """Claim ``key`` for a request; return the id that an earlier one created, or None.

    ``request`` distinguishes one request from another. Waits for a request with the same key that
    is under way. Raises ``Conflict`` if the key was used for another request.
    """
    fingerprint = hash_secret(request)
    claimed = await connection.execute(
        insert(idempotency_keys)
        .values(tenant_id=tenant_id, key=key, request_hash=fingerprint, target_id=target_id)
        .on_conflict_do_nothing()
        .returning(idempotency_keys.c.key)
    )
    if claimed.first() is not None:
        return None
    earlier = await connection.execute(
        select(idempotency_keys.c.request_hash, idempotency_keys.c.target_id).where(
            idempotency_keys.c.tenant_id == tenant_id, idempotency_keys.c.key == key
        )
    )
    request_hash, earlier_id = earlier.one()
    if bytes(request_hash) != fingerprint:
        raise IdempotencyKeyReused()
    return str(earlier_id)
