"""Invitations: links that make a signed-in person a member."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, RowMapping, and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.current_role import role_now
from backend.accounts.errors import (
    AlreadyMember,
    InvitationAlreadyAccepted,
    InvitationForAnother,
    InvitationNotFound,
    OwnerRequired,
    PersonRequired,
    RoleNotAssignable,
)
from backend.accounts.members.members import LOCAL_ISSUER, add_member, memberships
from backend.accounts.principal import ROLE_PERMISSIONS, Permission, Principal
from backend.accounts.secrets import INVITATION, hash_secret, new_secret
from backend.ids import new_id
from backend.kit.pages import Cursor, page_of
from backend.storage.tables import invitations, users
from backend_client.types.accounts import (
    Invitation,
    InvitationCreate,
    InvitationCreated,
    Membership,
    Role,
)
from backend_client.types.common import Page

_SHOWN = [column for column in invitations.c if column.name not in {"secret_hash", "tenant_id"}]


async def invite(
    connection: AsyncConnection, caller: Principal, wanted: InvitationCreate, portal_url: str
) -> InvitationCreated:
    """Create an invitation; the secret of its link is in the answer and nowhere else.

    ``portal_url`` is what its link begins with. Raises ``InvalidInput`` for a role that no member
    can have, ``Forbidden`` if an owner is invited by somebody who is neither one nor the operator,
    or the caller may invite nobody any more.
    """
    if wanted.role is Role.OPERATOR:
        raise RoleNotAssignable()
    secret = new_secret(INVITATION)
    inserted = await connection.execute(
        insert(invitations)
        .values(
            tenant_id=caller.tenant_id,
            id=new_id("ivt"),
            secret_hash=secret.hash,
            role=wanted.role.value,
            note=wanted.note,
            email=wanted.email,
            created_by=caller.id,
            by_operator=caller.role is Role.OPERATOR,
            expires_at=datetime.now(UTC) + timedelta(seconds=wanted.expires_in_seconds),
        )
        .returning(*_SHOWN)
    )
    created = inserted.mappings().one()
    # After the insert, which locks the tenant as the removal of a member does first: that closes
    # the invitations that there are, and who was removed before it makes none
    role = await role_now(connection, caller, Permission.MEMBERS_WRITE)
    if wanted.role is Role.OWNER and role not in {Role.OWNER, Role.OPERATOR}:
        raise OwnerRequired("Only an owner can invite an owner.")
    detail = wanted.model_dump(mode="json", include={"role", "note", "email"}, exclude_none=True)
    await record(connection, caller, "invitation.create", created["id"], detail=detail)
    link = link_of(portal_url, secret.value)
    return InvitationCreated.model_validate({**created, "secret": secret.value, "link": link})


def link_of(portal_url: str, secret: str) -> str:
    """Return an invitation's link. What follows the ``#`` stays in the browser, and in no log."""
    return f"{portal_url}/invitation/#{secret}"


async def list_invitations(
    connection: AsyncConnection, tenant_id: str, *, cursor: str | None, limit: int
) -> Page[Invitation]:
    """Return a page of the tenant's invitations, newest first, closed ones included."""
    query = (
        select(*_SHOWN)
        .where(invitations.c.tenant_id == tenant_id)
        .order_by(invitations.c.id.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(invitations.c.id < Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    return page_of(
        [Invitation.model_validate(dict(row)) for row in rows],
        limit,
        lambda invitation: invitation.id,
    )


async def revoke_invitation(
    connection: AsyncConnection, caller: Principal, invitation_id: str
) -> None:
    """Close an invitation; may be repeated. Raises ``NotFound``, ``Conflict`` if accepted."""
    result = await connection.execute(
        select(invitations.c.accepted_at, invitations.c.revoked_at)
        .where(invitations.c.tenant_id == caller.tenant_id, invitations.c.id == invitation_id)
        .with_for_update()
    )
    row = result.first()
    if row is None:
        raise InvitationNotFound()
    if row.accepted_at is not None:
        raise InvitationAlreadyAccepted()
    if row.revoked_at is None:
        await connection.execute(
            update(invitations)
            .where(invitations.c.tenant_id == caller.tenant_id, invitations.c.id == invitation_id)
            .values(revoked_at=func.now())
        )
        await record(connection, caller, "invitation.revoke", invitation_id)


async def accept_invitation(
    connection: AsyncConnection, caller: Principal, secret: str
) -> Membership:
    """Make the caller a member with the invitation's role. It works once.

    Raises ``Forbidden`` for a caller that is not a person, or not the one it is for; ``NotFound``
    for a link that is unknown, used, revoked or expired, and ``Conflict`` for somebody who is a
    member already.
    """
    if caller.kind != "user":
        raise PersonRequired("Only a person, signed in, can accept an invitation.")
    invitation = await _by_link(connection, caller.id, secret)
    tenant_id = invitation["tenant_id"]
    if tenant_id in await _joined(connection, caller.id):
        raise AlreadyMember()
    await _accept(connection, caller.id, invitation)
    joined = await memberships(connection, caller.id)
    return next(membership for membership in joined if membership.tenant.id == tenant_id)


async def join_by_link(connection: AsyncConnection, user_id: str, secret: str) -> str:
    """Accept an invitation for somebody who signs in with its link; return the tenant's id.

    A member stays as they are, and a link that they have accepted leads there again. Raises as
    ``accept_invitation`` does.
    """
    accepted = select(invitations.c.tenant_id).where(
        invitations.c.secret_hash == hash_secret(secret), invitations.c.accepted_by == user_id
    )
    accepted_for = await connection.scalar(accepted)
    if accepted_for is not None and accepted_for in await _joined(connection, user_id):
        return str(accepted_for)
    invitation = await _by_link(connection, user_id, secret)
    tenant_id = str(invitation["tenant_id"])
    if tenant_id not in await _joined(connection, user_id):
        await _accept(connection, user_id, invitation)
    return tenant_id


async def accept_addressed(connection: AsyncConnection, user_id: str) -> str | None:
    """Accept what the operator sent to somebody's verified address; return the last tenant's id.

    What a tenant sends to an address needs its link: nobody is made a member of a tenant of
    strangers by signing in. A member stays as they are, and the invitation stays open, for it
    would change nothing.
    """
    query = (
        select(invitations)
        .join(users, func.lower(users.c.email) == func.lower(invitations.c.email))
        .where(users.c.id == user_id, users.c.email_verified, invitations.c.by_operator, _is_open())
        .order_by(invitations.c.id)
        .with_for_update(of=invitations)
    )
    addressed = (await connection.execute(query)).mappings().all()
    joined = await _joined(connection, user_id) if addressed else set()
    tenant_id = None
    for invitation in addressed:
        if invitation["tenant_id"] in joined:
            continue
        await _accept(connection, user_id, invitation)
        tenant_id = str(invitation["tenant_id"])
        joined.add(tenant_id)
    return tenant_id


async def _by_link(connection: AsyncConnection, user_id: str, secret: str) -> RowMapping:
    result = await connection.execute(
        select(invitations)
        .where(invitations.c.secret_hash == hash_secret(secret), _is_open())
        .with_for_update()
    )
    invitation = result.mappings().first()
    if invitation is None:
        raise InvitationNotFound(
            "This invitation does not exist or is no longer open. Ask for a new one."
        )
    if invitation["email"] is not None:
        await _check_address(connection, user_id, invitation["email"])
    return invitation


async def _check_address(connection: AsyncConnection, user_id: str, email: str) -> None:
    query = select(users.c.issuer, users.c.email, users.c.email_verified)
    user = (await connection.execute(query.where(users.c.id == user_id))).one()
    if user.issuer == LOCAL_ISSUER:
        return  # whoever sits at the machine has no address, and could write into the database
    if not user.email_verified or (user.email or "").lower() != email.lower():
        raise InvitationForAnother(
            f"This invitation is for {email}: sign in with that address, which the identity "
            "provider must have verified."
        )


async def _accept(connection: AsyncConnection, user_id: str, invitation: RowMapping) -> None:
    tenant_id, role = invitation["tenant_id"], Role(invitation["role"])
    await add_member(connection, tenant_id, user_id, role)
    await connection.execute(
        update(invitations)
        .where(invitations.c.tenant_id == tenant_id, invitations.c.id == invitation["id"])
        .values(accepted_at=func.now(), accepted_by=user_id)
    )
    member = Principal("user", user_id, tenant_id, ROLE_PERMISSIONS[role], role)
    await record(connection, member, "invitation.accept", invitation["id"])


async def _joined(connection: AsyncConnection, user_id: str) -> set[str]:
    return {membership.tenant.id for membership in await memberships(connection, user_id)}


def _is_open() -> ColumnElement[bool]:
    return and_(
        invitations.c.accepted_at.is_(None),
        invitations.c.revoked_at.is_(None),
        invitations.c.expires_at > datetime.now(UTC),
    )
