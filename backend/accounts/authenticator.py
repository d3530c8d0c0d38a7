"""From a bearer token to a ``Principal``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import RowMapping, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.errors import InvalidCredential
from backend.accounts.principal import (
    ROLE_PERMISSIONS,
    SCOPE_PERMISSIONS,
    Permission,
    Principal,
)
from backend.accounts.secrets import API_KEY, OPERATOR_KEY, SESSION, hash_secret
from backend.kit.remembered import Outages, Remembered
from backend.storage.database import Database
from backend.storage.outages import is_outage
from backend.storage.tables import (
    api_keys,
    members,
    operator_keys,
    retired_secrets,
    sessions,
    users,
)
from backend_client.types.accounts import RateLimits, Role, Scope

KNOWN_SECONDS = 0.9
"""How long a valid credential is cached: a revocation takes effect within 1 s."""
_KNOWN_MOST = 10_000
OUTAGE_SECONDS = 600.0
"""How long it is cached while PostgreSQL is away and can't report a revocation."""
_LAST_USED_EVERY = timedelta(minutes=1)


class Authenticator:
    """Looks credentials up, and caches the valid ones for less than a second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._principals: Remembered[bytes, Principal] = Remembered(
            seconds=KNOWN_SECONDS,
            most=_KNOWN_MOST,
            outages=Outages(OUTAGE_SECONDS, is_outage),
        )

    async def authenticate(self, token: str) -> Principal:
        """Return who holds ``token``; raise ``Unauthenticated`` if nobody does."""
        slot = hash_secret(token)
        return await self._principals.get(slot, partial(self._read, token, slot))

    def forget(self, token: str) -> None:
        """Drop a credential that has just changed from the cache."""
        self._principals.forget(hash_secret(token))

    async def _read(self, token: str, slot: bytes) -> Principal:
        async with self._database.begin() as connection:
            principal = await _look_up(connection, token, slot)
        if principal is None:
            raise InvalidCredential()
        return principal


async def _look_up(connection: AsyncConnection, token: str, slot: bytes) -> Principal | None:
    now = datetime.now(UTC)
    if token.startswith(API_KEY):
        return await _api_key(connection, slot, now)
    if token.startswith(SESSION):
        return await _session(connection, slot, now)
    if token.startswith(OPERATOR_KEY):
        return await _operator_key(connection, slot)
    return None


async def _api_key(connection: AsyncConnection, slot: bytes, now: datetime) -> Principal | None:
    good = select(api_keys).where(
        api_keys.c.revoked_at.is_(None),
        or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
    )
    result = await connection.execute(good.where(api_keys.c.secret_hash == slot))
    row = result.mappings().first()
    if row is None:
        # This may be the earlier secret of a rotated key.
        result = await connection.execute(
            good.join(
                retired_secrets,
                and_(
                    retired_secrets.c.tenant_id == api_keys.c.tenant_id,
                    retired_secrets.c.key_id == api_keys.c.id,
                ),
            ).where(retired_secrets.c.secret_hash == slot, retired_secrets.c.works_until > now)
        )
        row = result.mappings().first()
    if row is None:
        return None
    await _note_use(connection, row, now)
    scopes = frozenset(Scope(scope) for scope in row["scopes"])
    return Principal(
        kind="key",
        id=row["id"],
        tenant_id=row["tenant_id"],
        permissions=frozenset().union(*(SCOPE_PERMISSIONS[scope] for scope in scopes)),
        role=Role.VIEWER,
        scopes=scopes,
        application_id=row["application_id"],
        models=None if row["models"] is None else frozenset(row["models"]),
        limits=RateLimits.model_validate({name: row[name] for name in RateLimits.model_fields}),
    )


async def _note_use(connection: AsyncConnection, row: RowMapping, now: datetime) -> None:
    """Record when the key was last used, to the minute: not every call is worth a write."""
    used = row["last_used_at"]
    if used is not None and now - used < _LAST_USED_EVERY:
        return
    await connection.execute(
        update(api_keys)
        .where(api_keys.c.tenant_id == row["tenant_id"], api_keys.c.id == row["id"])
        .values(last_used_at=now)
    )


async def _session(connection: AsyncConnection, slot: bytes, now: datetime) -> Principal | None:
    # A former member's session no longer works.
    result = await connection.execute(
        select(sessions.c.user_id, sessions.c.tenant_id, members.c.role, users.c.is_operator)
        .join(users, users.c.id == sessions.c.user_id)
        .join(
            members,
            and_(
                members.c.user_id == sessions.c.user_id,
                members.c.tenant_id == sessions.c.tenant_id,
            ),
        )
        .where(sessions.c.token_hash == slot, sessions.c.expires_at > now)
    )
    row = result.mappings().first()
    if row is None:
        return None
    role = Role(row["role"])
    permissions = ROLE_PERMISSIONS[role]
    if row["is_operator"]:
        permissions = permissions | {Permission.OPERATE}
    return Principal(
        kind="user",
        id=row["user_id"],
        tenant_id=row["tenant_id"],
        permissions=permissions,
        role=role,
    )


async def _operator_key(connection: AsyncConnection, slot: bytes) -> Principal | None:
    result = await connection.execute(
        select(operator_keys.c.id).where(
            operator_keys.c.secret_hash == slot, operator_keys.c.revoked_at.is_(None)
        )
    )
    row = result.mappings().first()
    if row is None:
        return None
    return Principal(
        kind="operator",
        id=row["id"],
        tenant_id="",
        # An operator's key acts for no tenant, so it can only do what names a tenant.
        permissions=frozenset({Permission.OPERATE, Permission.EVENTS_WRITE}),
        role=Role.OPERATOR,
    )
