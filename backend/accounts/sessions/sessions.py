"""Sessions of the people who use the portal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.errors import OperatorHasNoTenant, TenantNotFound
from backend.accounts.members.members import LOCAL_ISSUER, add_member, memberships, upsert_user
from backend.accounts.members.operators import operates
from backend.accounts.principal import Principal
from backend.accounts.secrets import SESSION, hash_secret, new_secret
from backend.accounts.tenants import TenantDefaults, create_tenant, find_tenant
from backend.errors import NotFound
from backend.ids import new_id
from backend.storage.tables import sessions, tenants, users
from backend_client.types.accounts import Me, Role, SessionCreated, SignInSeen, Tenant, TenantCreate

LOCAL_SLUG = "local"
VIEW_LASTS = timedelta(hours=1)
"""How long an operator looks at a tenant before they have to say so again."""


async def local_person(connection: AsyncConnection) -> str:
    """Return the id of the person at this machine."""
    return await upsert_user(
        connection,
        issuer=LOCAL_ISSUER,
        subject="local",
        name="Local developer",
        email=None,
        is_operator=True,
    )


async def local_user(
    connection: AsyncConnection, defaults: TenantDefaults
) -> tuple[str, Tenant, bool]:
    """Return the person at this machine, their own tenant, and whether it is new."""
    user_id = await local_person(connection)
    # The user's row is locked by the upsert, so two first sign-ins create one tenant.
    try:
        tenant, created = await find_tenant(connection, LOCAL_SLUG), False
    except NotFound:
        wanted = TenantCreate(slug=LOCAL_SLUG, name="Local")
        tenant = await create_tenant(connection, wanted, defaults)
        created = True
    await add_member(connection, tenant.id, user_id, Role.OWNER)
    return user_id, tenant, created


async def begin_session(
    connection: AsyncConnection,
    user_id: str,
    tenant_id: str,
    *,
    seconds: int,
    seen: SignInSeen | None = None,
) -> SessionCreated:
    """Begin a session in one of the person's tenants; only its token's hash is stored.

    ``seen`` is what the portal saw of who signs in, for the list of their sessions.
    """
    secret = new_secret(SESSION)
    now = datetime.now(UTC)
    expires_at = now + timedelta(seconds=seconds)
    await connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
    await connection.execute(
        insert(sessions).values(
            token_hash=secret.hash,
            id=new_id("ses"),
            user_id=user_id,
            tenant_id=tenant_id,
            device=seen and seen.device,
            address=seen and seen.address,
            expires_at=expires_at,
        )
    )
    return SessionCreated(token=secret.value, expires_at=expires_at)


async def shorten_sessions(connection: AsyncConnection, user_id: str, *, seconds: int) -> None:
    """Let none of a person's sessions last longer than ``seconds`` from now."""
    latest = datetime.now(UTC) + timedelta(seconds=seconds)
    await connection.execute(
        update(sessions)
        .where(sessions.c.user_id == user_id, sessions.c.expires_at > latest)
        .values(expires_at=latest)
    )


async def switch_tenant(
    connection: AsyncConnection, token: str, caller: Principal, tenant_id: str
) -> None:
    """Let the session act for another of the person's tenants; raise ``NotFound``."""
    joined = {membership.tenant.id for membership in await memberships(connection, caller.id)}
    if tenant_id not in joined:
        raise TenantNotFound()
    await connection.execute(
        update(sessions)
        .where(sessions.c.token_hash == hash_secret(token))
        .values(tenant_id=tenant_id, viewing_tenant_id=None, viewing_until=None)
    )


async def begin_view(
    connection: AsyncConnection, token: str, caller: Principal, tenant_id: str
) -> Tenant:
    """Let an operator's session look at a tenant for an hour; raise ``TenantNotFound``.

    The tenant's audit has it.
    """
    tenant = await find_tenant(connection, tenant_id)
    until = datetime.now(UTC) + VIEW_LASTS
    await connection.execute(
        update(sessions)
        .where(sessions.c.token_hash == hash_secret(token))
        .values(viewing_tenant_id=tenant.id, viewing_until=until)
    )
    detail: dict[str, object] = {"until": until.isoformat()}
    await record(connection, caller, "view.begin", caller.id, tenant_id=tenant.id, detail=detail)
    return tenant


async def end_view(connection: AsyncConnection, token: str, caller: Principal) -> None:
    """Bring an operator's session back to their own tenant; may be repeated."""
    await _stop_viewing(connection, token)
    if caller.viewing_until is not None:
        await record(connection, caller, "view.end", caller.id)


async def _stop_viewing(connection: AsyncConnection, token: str) -> None:
    await connection.execute(
        update(sessions)
        .where(sessions.c.token_hash == hash_secret(token))
        .values(viewing_tenant_id=None, viewing_until=None)
    )


async def end_session(connection: AsyncConnection, token: str) -> None:
    """End a session; may be repeated."""
    await connection.execute(delete(sessions).where(sessions.c.token_hash == hash_secret(token)))


async def who_is(connection: AsyncConnection, caller: Principal) -> Me:
    """Describe the caller; raise ``Forbidden`` for an operator's key, which acts for no tenant."""
    if caller.kind == "operator":
        raise OperatorHasNoTenant()
    if caller.kind == "key":
        result = await connection.execute(select(tenants).where(tenants.c.id == caller.tenant_id))
        return Me(
            user_id=None,
            name=caller.id,
            email=None,
            is_operator=False,
            tenant=Tenant.model_validate(dict(result.mappings().one())),
            role=caller.role,
            scopes=sorted(caller.scopes),
        )
    query = select(users.c.name, users.c.email, operates().label("is_operator"))
    user = (await connection.execute(query.where(users.c.id == caller.id))).mappings().one()
    joined = await memberships(connection, caller.id)
    return Me(
        user_id=caller.id,
        name=user["name"],
        email=user["email"],
        is_operator=user["is_operator"] and caller.viewing_until is None,
        tenant=await find_tenant(connection, caller.tenant_id),
        role=caller.role,
        viewing_until=caller.viewing_until,
        memberships=joined,
    )
