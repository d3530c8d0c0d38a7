"""Signing in with an identity provider: who the person is here, and which tenant is theirs."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.errors import NotInvited
from backend.accounts.members.invitations import accept_addressed, join_by_link
from backend.accounts.members.members import add_member, memberships, upsert_user
from backend.accounts.members.operators import in_group, is_operator
from backend.accounts.sessions.identity import Identity
from backend.accounts.sessions.sessions import shorten_sessions
from backend.accounts.tenants import create_tenant, tenant_defaults
from backend.ids import new_id
from backend.settings import Settings
from backend.storage.tables import users
from backend_client.types.accounts import Role, Tenant, TenantCreate
from backend_client.types.texts import shown


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in, and the tenant to begin with; it is to be subscribed to a plan if ``new``."""

    user_id: str
    tenant: Tenant
    new: bool
    seconds: int
    """How long the session lasts."""


async def sign_in(
    connection: AsyncConnection, settings: Settings, identity: Identity, invitation: str | None
) -> SignedIn:
    """Note who signs in and what the provider says of them, and find their tenant.

    What the operator sent to their verified address is accepted, and the ``invitation`` whose
    secret they bring. Somebody without any tenant gets one of their own where sign-up is open, and
    as an operator.

    Raises ``Forbidden`` for somebody whom nobody invited, ``NotFound`` for an invitation that is no
    longer open.
    """
    by_group = settings.operator_group is not None and in_group(
        identity.claims, settings.operator_claim, settings.operator_group
    )
    user_id = await upsert_user(
        connection,
        issuer=identity.issuer,
        subject=identity.subject,
        name=identity.name,
        email=identity.email,
        email_verified=identity.email_verified,
    )
    await connection.execute(
        update(users).where(users.c.id == user_id).values(is_operator=by_group)
    )
    operator = await is_operator(connection, user_id)
    # The link first: what it is for may be addressed too
    by_link = None if invitation is None else await join_by_link(connection, user_id, invitation)
    addressed = await accept_addressed(connection, user_id)
    joined_id = by_link or addressed
    tenant, new = await _tenant_of(
        connection, settings, user_id, identity.name, joined_id, may_begin=operator
    )
    seconds = settings.session_seconds
    if operator:
        seconds = min(seconds, settings.operator_session_seconds)
        # What this sign-in says holds in the sessions that they have as well
        await shorten_sessions(connection, user_id, seconds=seconds)
    return SignedIn(user_id, tenant, new, seconds)


async def _tenant_of(
    connection: AsyncConnection,
    settings: Settings,
    user_id: str,
    name: str,
    joined_id: str | None,
    *,
    may_begin: bool,
) -> tuple[Tenant, bool]:
    """Return the tenant just joined, or else the first; or a new one for who may begin one."""
    tenants = [membership.tenant for membership in await memberships(connection, user_id)]
    if tenants:
        return next((tenant for tenant in tenants if tenant.id == joined_id), tenants[0]), False
    if settings.sign_up == "invited" and not may_begin:
        raise NotInvited()
    slug = f"t-{new_id('ten').rpartition('_')[2]}"
    wanted = TenantCreate(slug=slug, name=shown(name, most=200) or "?")
    tenant = await create_tenant(connection, wanted, tenant_defaults(settings))
    await add_member(connection, tenant.id, user_id, Role.OWNER)
    return tenant, True
