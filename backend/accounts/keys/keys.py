"""API keys: creating, listing, changing, revoking. ``rotation`` gives them new secrets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.applications import application_for_keys, check_limited_models
from backend.accounts.audit.writing import record
from backend.accounts.budgets import budget_of, budget_values
from backend.accounts.current_role import role_now
from backend.accounts.errors import (
    ExpiryPassed,
    KeyAlreadyCreated,
    KeyNotFound,
    KeyRevoked,
)
from backend.accounts.idempotency import claim_key
from backend.accounts.principal import Permission, Principal
from backend.accounts.secrets import API_KEY, new_secret
from backend.errors import InvalidInput
from backend.ids import new_id
from backend.kit.pages import Cursor, page_of
from backend.storage.tables import api_keys, models, retired_secrets
from backend_client.types.accounts import ApiKey, ApiKeyChange, ApiKeyCreate, ApiKeyCreated
from backend_client.types.common import Page
from backend_client.types.limits import RateLimits
from backend_client.types.problems import FieldError

_WORKING = (
    retired_secrets.c.tenant_id == api_keys.c.tenant_id,
    retired_secrets.c.key_id == api_keys.c.id,
    retired_secrets.c.works_until > func.now(),
)
_SHOWN = [
    *(column for column in api_keys.c if column.name not in {"secret_hash", "tenant_id"}),
    select(func.max(retired_secrets.c.works_until))
    .where(*_WORKING)
    .scalar_subquery()
    .label("previous_until"),
    select(func.count())
    .select_from(retired_secrets)
    .where(*_WORKING)
    .scalar_subquery()
    .label("previous_count"),
]


def _shown(row: RowMapping) -> dict[str, object]:
    limits = {name: row[name] for name in RateLimits.model_fields}
    return {**row, "limits": limits, "budget": budget_of(row)}


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
    # After the claim, which locks the tenant as the removal of a member does first
    await role_now(connection, caller, _needed(is_service=wanted.service_account))
    await application_for_keys(connection, caller.tenant_id, wanted.application_id)
    _check_expiry(wanted.expires_at)
    await _check_models(connection, wanted.models)
    await check_limited_models(connection, wanted.model_limits)
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
            addresses=wanted.addresses,
            origins=wanted.origins,
            service_account=wanted.service_account,
            model_limits=[each.model_dump() for each in wanted.model_limits],
            **wanted.limits.model_dump(),
            **budget_values(wanted.budget),
        )
        .returning(*_SHOWN)
    )
    row = inserted.mappings().one()
    detail = {"name": wanted.name, "scopes": [scope.value for scope in wanted.scopes]}
    await record(connection, caller, "key.create", row["id"], detail=detail)
    return ApiKeyCreated.model_validate({**_shown(row), "secret": secret.value})


async def list_keys(
    connection: AsyncConnection,
    tenant_id: str,
    *,
    created_by: str | None = None,
    search: str | None = None,
    cursor: str | None,
    limit: int,
) -> Page[ApiKey]:
    """Return a page of the tenant's keys, newest first, revoked ones included.

    With ``created_by`` those that a person made, or that were handed over to them; with ``search``
    those with it in their name, or as their id or last four characters.
    """
    query = (
        select(*_SHOWN)
        .where(api_keys.c.tenant_id == tenant_id)
        .order_by(api_keys.c.id.desc())
        .limit(limit + 1)
    )
    if created_by is not None:
        query = query.where(api_keys.c.created_by == created_by)
    if search:
        query = query.where(
            or_(
                api_keys.c.name.icontains(search, autoescape=True),
                api_keys.c.id == search,
                api_keys.c.last_four == search,
            )
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
    """Change what is given of a key.

    Raises ``NotFound``, ``Conflict`` if it is revoked, ``InvalidInput`` for an unknown model or an
    expiry that has passed.
    """
    await require_key(connection, caller, key_id)
    if change.service_account is not None:
        await role_now(connection, caller, _needed(is_service=True))
    given = change.model_fields_set
    values: dict[str, Any] = {}
    if change.name is not None:
        values["name"] = change.name
    if change.scopes is not None:
        values["scopes"] = [scope.value for scope in change.scopes]
    if "models" in given:
        await _check_models(connection, change.models)
        values["models"] = change.models
    if "expires_at" in given:
        _check_expiry(change.expires_at)
        values["expires_at"] = change.expires_at
    if change.limits is not None:
        values |= change.limits.model_dump()
    if change.model_limits is not None:
        await check_limited_models(connection, change.model_limits)
        values["model_limits"] = [each.model_dump() for each in change.model_limits]
    if "budget" in given:
        values |= budget_values(change.budget)
    if "addresses" in given:
        values["addresses"] = change.addresses
    if "origins" in given:
        values["origins"] = change.origins
    if change.service_account is not None:
        values["service_account"] = change.service_account
    if change.enabled is not None:
        # Once more disabled, it stays so since the first time
        since = func.coalesce(api_keys.c.disabled_at, func.now())
        values["disabled_at"] = None if change.enabled else since
    if values:
        await connection.execute(
            update(api_keys)
            .where(api_keys.c.tenant_id == caller.tenant_id, api_keys.c.id == key_id)
            .values(**values)
        )
        await record(connection, caller, "key.change", key_id, detail=_as_audited(change))
    return await find_key(connection, caller.tenant_id, key_id)


def _as_audited(change: ApiKeyChange) -> Mapping[str, object]:
    return change.model_dump(mode="json", exclude_unset=True)


def _check_expiry(expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise ExpiryPassed()


async def _check_models(connection: AsyncConnection, wanted: list[str] | None) -> None:
    if wanted is None:
        return
    catalog_ids = set((await connection.execute(select(models.c.id))).scalars())
    unknown = [name for name in wanted if name not in catalog_ids]
    if unknown or not wanted:
        raise InvalidInput(
            f"There is no model {unknown[0]!r}." if unknown else "Name at least one model.",
            errors=[FieldError(field="models", detail="use ids of the catalog, or null")],
        )


def _needed(*, is_service: bool) -> Permission:
    """Who may make a key and have its secret: one that outlives its maker is for admins."""
    return Permission.TENANT_WRITE if is_service else Permission.KEYS_WRITE


async def require_key(connection: AsyncConnection, caller: Principal, key_id: str) -> bytes:
    """Lock a key that the caller may change, and return its secret's hash.

    Raises ``Forbidden``, also for a service account's key unless the caller is an owner or admin;
    ``NotFound``, and ``Conflict`` if it is revoked.
    """
    await role_now(connection, caller, Permission.KEYS_WRITE)
    secret_hash = await locked_key(connection, caller.tenant_id, key_id)
    is_service = await connection.scalar(
        select(api_keys.c.service_account).where(
            api_keys.c.tenant_id == caller.tenant_id, api_keys.c.id == key_id
        )
    )
    await role_now(connection, caller, _needed(is_service=bool(is_service)))
    return secret_hash


async def locked_key(connection: AsyncConnection, tenant_id: str, key_id: str) -> bytes:
    """Lock a key and return its secret's hash; raise ``NotFound``, ``Conflict`` if revoked."""
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
    if key.revoked_at is None:
        await revoke_keys(connection, caller, [key_id])


async def keys_made_by(connection: AsyncConnection, tenant_id: str, user_id: str) -> list[str]:
    """Return the ids of a person's keys that are not revoked, and lock them.

    They are those that the person made, but for what belongs to an application.
    """
    ids = await connection.execute(
        select(api_keys.c.id)
        .where(
            api_keys.c.tenant_id == tenant_id,
            api_keys.c.created_by == user_id,
            api_keys.c.revoked_at.is_(None),
            api_keys.c.service_account.is_(False),
        )
        .order_by(api_keys.c.id)
        .with_for_update()
    )
    return list(ids.scalars())


async def revoke_keys(
    connection: AsyncConnection, caller: Principal, key_ids: Collection[str]
) -> None:
    """Revoke keys that are not revoked, and record each."""
    await _change_all(connection, caller, key_ids, {"revoked_at": func.now()})
    for key_id in key_ids:
        await record(connection, caller, "key.revoke", key_id)


async def hand_over_keys(
    connection: AsyncConnection, caller: Principal, key_ids: Collection[str], user_id: str
) -> None:
    """Have keys belong to another member, as if they had made them; record each."""
    await _change_all(connection, caller, key_ids, {"created_by": user_id})
    for key_id in key_ids:
        await record(connection, caller, "key.hand_over", key_id, detail={"to": user_id})


async def _change_all(
    connection: AsyncConnection,
    caller: Principal,
    key_ids: Collection[str],
    values: Mapping[str, object],
) -> None:
    await connection.execute(
        update(api_keys)
        .where(api_keys.c.tenant_id == caller.tenant_id, api_keys.c.id.in_(key_ids))
        .values(**values)
    )
