"""API keys: creating, listing, changing, rotating, revoking."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit import record
from backend.accounts.errors import KeyAlreadyCreated, KeyNotFound, KeyRevoked, TooManySecrets
from backend.accounts.idempotency import claim_key
from backend.accounts.principal import Principal
from backend.accounts.secrets import API_KEY, new_secret
from backend.accounts.tenants import find_application
from backend.errors import InvalidInput
from backend.ids import new_id
from backend.kit.pages import Cursor, page_of
from backend.storage.tables import api_keys, models, retired_secrets
from backend_client.types.accounts import (
    ApiKey,
    ApiKeyChange,
    ApiKeyCreate,
    ApiKeyCreated,
    RateLimits,
)
from backend_client.types.common import Page
from backend_client.types.problems import FieldError

_MOST_RETIRED = 5
_PREVIOUS = (
    select(func.max(retired_secrets.c.works_until))
    .where(
        retired_secrets.c.tenant_id == api_keys.c.tenant_id,
        retired_secrets.c.key_id == api_keys.c.id,
        retired_secrets.c.works_until > func.now(),
    )
    .scalar_subquery()
    .label("previous_until")
)
_SHOWN = [
    *(column for column in api_keys.c if column.name not in {"secret_hash", "tenant_id"}),
    _PREVIOUS,
]


def _shown(row: RowMapping) -> dict[str, object]:
    limits = {name: row[name] for name in RateLimits.model_fields}
    return {**row, "limits": limits}


def _key(row: RowMapping) -> ApiKey:
    return ApiKey.model_validate(_shown(row))


async def create_key(
    connection: AsyncConnection,
    caller: Principal,
    wanted: ApiKeyCreate,
    *,
    idempotency_key: str | None = None,
) -> ApiKeyCreated:
    """Create a key; its secret is in the answer and nowhere else.

    Raises ``NotFound`` for a foreign application, ``InvalidInput`` for an unknown model or an
    expiry that has passed. A repeated ``idempotency_key`` creates no second key, and raises
    ``Conflict`` naming the first: its secret can't be shown again.
    """
    key_id = new_id("key")
    if idempotency_key is not None:
        request = f"key {wanted.model_dump_json()}"
        created_id = await claim_key(connection, caller.tenant_id, idempotency_key, request, key_id)
        if created_id is not None:
            raise KeyAlreadyCreated(
                f"Key {created_id} was created by an earlier request with this Idempotency-Key. "
                "Its secret was shown then and is not stored; revoke the key and create another if "
                "it was lost."
            )
    await find_application(connection, caller.tenant_id, wanted.application_id)
    if wanted.expires_at is not None and wanted.expires_at <= datetime.now(UTC):
        raise InvalidInput(
            "The key would have expired already.",
            errors=[FieldError(field="expires_at", detail="must be in the future")],
        )
    if wanted.models is not None:
        catalog_ids = set((await connection.execute(select(models.c.id))).scalars())
        unknown = [name for name in wanted.models if name not in catalog_ids]
        if unknown or not wanted.models:
            raise InvalidInput(
                f"There is no model {unknown[0]!r}." if unknown else "Name at least one model.",
                errors=[FieldError(field="models", detail="use ids of the catalog, or null")],
            )
    secret = new_secret(API_KEY)
    inserted = await connection.execute(
        insert(api_keys)
        .values(
            tenant_id=caller.tenant_id,
            id=key_id,
            application_id=wanted.application_id,
            name=wanted.name,
            secret_hash=secret.hash,
            prefix=secret.prefix,
            last_four=secret.last_four,
            scopes=[scope.value for scope in wanted.scopes],
            models=wanted.models,
            created_by=caller.id,
            expires_at=wanted.expires_at,
            **wanted.limits.model_dump(),
        )
        .returning(*_SHOWN)
    )
    row = inserted.mappings().one()
    await record(connection, caller, "key.create", row["id"], detail={"name": wanted.name})
    return ApiKeyCreated.model_validate({**_shown(row), "secret": secret.value})


async def list_keys(
    connection: AsyncConnection, tenant_id: str, *, cursor: str | None, limit: int
) -> Page[ApiKey]:
    """Return a page of the tenant's keys, newest first, revoked ones included."""
    query = (
        select(*_SHOWN)
        .where(api_keys.c.tenant_id == tenant_id)
        .order_by(api_keys.c.id.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(api_keys.c.id < Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    return page_of([_key(row) for row in rows], limit, lambda key: key.id)


async def find_key(connection: AsyncConnection, tenant_id: str, key_id: str) -> ApiKey:
    """Return one of the tenant's keys; raise ``NotFound``."""
    result = await connection.execute(
        select(*_SHOWN).where(api_keys.c.tenant_id == tenant_id, api_keys.c.id == key_id)
    )
    row = result.mappings().first()
    if row is None:
        raise KeyNotFound()
    return _key(row)


async def change_key(
    connection: AsyncConnection, caller: Principal, key_id: str, change: ApiKeyChange
) -> ApiKey:
    """Change a key's name or limits; raise ``NotFound``, or ``Conflict`` if it is revoked."""
    await _locked_key(connection, caller.tenant_id, key_id)
    values: dict[str, object] = {}
    if change.name is not None:
        values["name"] = change.name
    if change.limits is not None:
        values |= change.limits.model_dump()
    if values:
        await connection.execute(
            update(api_keys)
            .where(api_keys.c.tenant_id == caller.tenant_id, api_keys.c.id == key_id)
            .values(**values)
        )
        await record(connection, caller, "key.change", key_id, detail=values)
    return await find_key(connection, caller.tenant_id, key_id)


async def rotate_key(
    connection: AsyncConnection, caller: Principal, key_id: str, *, grace_seconds: int
) -> ApiKeyCreated:
    """Give a key a new secret; the old one works for ``grace_seconds`` more.

    The key keeps its id, so its usage continues under it. Raises ``NotFound``, and
    ``Conflict`` if it is revoked or too many old secrets still work.
    """
    now = datetime.now(UTC)
    old_hash = await _locked_key(connection, caller.tenant_id, key_id)
    of_key = (retired_secrets.c.tenant_id == caller.tenant_id, retired_secrets.c.key_id == key_id)
    await connection.execute(
        delete(retired_secrets).where(*of_key, retired_secrets.c.works_until <= now)
    )
    if grace_seconds:
        working = select(func.count()).select_from(retired_secrets).where(*of_key)
        if (await connection.scalar(working) or 0) >= _MOST_RETIRED:
            raise TooManySecrets(
                f"{_MOST_RETIRED} old secrets of this key still work. Wait until one ends, or "
                "revoke the key and make another."
            )
        await connection.execute(
            insert(retired_secrets).values(
                tenant_id=caller.tenant_id,
                key_id=key_id,
                secret_hash=old_hash,
                works_until=now + timedelta(seconds=grace_seconds),
            )
        )
    secret = new_secret(API_KEY)
    await connection.execute(
        update(api_keys)
        .where(api_keys.c.tenant_id == caller.tenant_id, api_keys.c.id == key_id)
        .values(secret_hash=secret.hash, last_four=secret.last_four, rotated_at=now)
    )
    detail: dict[str, object] = {"grace_seconds": grace_seconds}
    await record(connection, caller, "key.rotate", key_id, detail=detail)
    key = await find_key(connection, caller.tenant_id, key_id)
    return ApiKeyCreated.model_validate({**key.model_dump(), "secret": secret.value})


async def _locked_key(connection: AsyncConnection, tenant_id: str, key_id: str) -> bytes:
    """Lock a key that is not revoked; return its secret's hash."""
    result = await connection.execute(
        select(api_keys.c.secret_hash, api_keys.c.revoked_at)
        .where(api_keys.c.tenant_id == tenant_id, api_keys.c.id == key_id)
        .with_for_update()
    )
    row = result.first()
    if row is None:
        raise KeyNotFound()
    if row.revoked_at is not None:
        raise KeyRevoked()
    return bytes(row.secret_hash)


async def revoke_key(connection: AsyncConnection, caller: Principal, key_id: str) -> None:
    """Revoke a key for good; harmless to repeat. Raises ``NotFound``."""
    key = await find_key(connection, caller.tenant_id, key_id)
    if key.revoked_at is not None:
        return
    await connection.execute(
        update(api_keys)
        .where(api_keys.c.tenant_id == caller.tenant_id, api_keys.c.id == key_id)
        .values(revoked_at=func.now())
    )
    await record(connection, caller, "key.revoke", key_id)
