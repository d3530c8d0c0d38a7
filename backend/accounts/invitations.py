"""Invitations: links that make a signed-in person a member."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit import record
from backend.accounts.errors import (
    AlreadyMember,
    InvitationAlreadyAccepted,
    InvitationNotFound,
    OwnerRequired,
    PersonRequired,
    RoleNotAssignable,
)
from backend.accounts.members import add_member, memberships
from backend.accounts.principal import Principal
from backend.accounts.secrets import INVITATION, hash_secret, new_secret
from backend.ids import new_id
from backend.kit.pages import Cursor, page_of
from backend.storage.tables import invitations
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
    connection: AsyncConnection, caller: Principal, wanted: InvitationCreate
) -> InvitationCreated:
    """Create an invitation; the secret of its link is in the answer and nowhere else.

    Raises ``InvalidInput`` for a role that no member can have, ``Forbidden`` if an owner is invited
    by somebody who is not one.
    """
    if wanted.role is Role.OPERATOR:
        raise RoleNotAssignable()
    if wanted.role is Role.OWNER and caller.role is not Role.OWNER:
        raise OwnerRequired("Only an owner can invite an owner.")
    secret = new_secret(INVITATION)
    inserted = await connection.execute(
        insert(invitations)
        .values(
            tenant_id=caller.tenant_id,
            id=new_id("ivt"),
            secret_hash=secret.hash,
            role=wanted.role.value,
            note=wanted.note,
            created_by=caller.id,
            expires_at=datetime.now(UTC) + timedelta(seconds=wanted.expires_in_seconds),
        )
        .returning(*_SHOWN)
    )
    created = inserted.mappings().one()
    detail: dict[str, object] = {"role": wanted.role.value, "note": wanted.note}
    await record(connection, caller, "invitation.create", created["id"], detail=detail)
    return InvitationCreated.model_validate({**created, "secret": secret.value})


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

    Raises ``Forbidden`` for a caller that is not a person, ``NotFound`` for a link that is unknown,
    used, revoked or expired, and ``Conflict`` for somebody who is a member already.
    """
    if caller.kind != "user":
        raise PersonRequired("Only a person, signed in, can accept an invitation.")
    result = await connection.execute(
        select(invitations)
        .where(
            invitations.c.secret_hash == hash_secret(secret),
            invitations.c.accepted_at.is_(None),
            invitations.c.revoked_at.is_(None),
            invitations.c.expires_at > datetime.now(UTC),
        )
        .with_for_update()
    )
    row = result.mappings().first()
    if row is None:
        raise InvitationNotFound(
            "This invitation does not exist or is no longer open. Ask for a new one."
        )
    tenant_id = row["tenant_id"]
    if tenant_id in {
        membership.tenant.id for membership in await memberships(connection, caller.id)
    }:
        raise AlreadyMember()
    await add_member(connection, tenant_id, caller.id, Role(row["role"]))
    await connection.execute(
        update(invitations)
        .where(invitations.c.tenant_id == tenant_id, invitations.c.id == row["id"])
        .values(accepted_at=func.now(), accepted_by=caller.id)
    )
    await record(connection, caller, "invitation.accept", row["id"], tenant_id=tenant_id)
    joined = await memberships(connection, caller.id)
    return next(membership for membership in joined if membership.tenant.id == tenant_id)
