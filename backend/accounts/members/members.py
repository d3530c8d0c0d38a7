"""Members of a tenant and their roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, RowMapping, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.current_role import role_now
from backend.accounts.errors import (
    HeirNotAllowed,
    LastOwner,
    MemberHasKeys,
    MemberNotFound,
    OwnerRequired,
    RoleNotAssignable,
)
from backend.accounts.keys.keys import hand_over_keys, keys_made_by, revoke_keys
from backend.accounts.principal import ROLE_PERMISSIONS, Permission, Principal
from backend.ids import new_id
from backend.kit.pages import Cursor, page_of
from backend.storage.tables import invitations, members, tenants, users
from backend_client.types.accounts import Member, Membership, Role, Tenant
from backend_client.types.common import Page
from backend_client.types.texts import shown

_LONGEST_NAME = 200

LOCAL_ISSUER = "local"
"""Who vouches for the person at this machine, who has no address."""

_MEMBER = select(
    members.c.user_id,
    users.c.email,
    users.c.name,
    members.c.role,
    members.c.created_at.label("joined_at"),
).join(users, users.c.id == members.c.user_id)


def _member(row: RowMapping) -> Member:
    return Member.model_validate(dict(row))


async def upsert_user(
    connection: AsyncConnection,
    *,
    issuer: str,
    subject: str,
    name: str,
    email: str | None,
    email_verified: bool = False,
    is_operator: bool = False,
) -> str:
    """Create or update the person that ``issuer`` calls ``subject``; return their id."""
    # Others wrote them: an identity provider
    shown_name = shown(name, most=_LONGEST_NAME) or shown(subject, most=_LONGEST_NAME) or "?"
    shown_email = email and shown(email, most=_LONGEST_NAME)
    values = {
        "name": shown_name,
        "email": shown_email,
        # What is verified is the whole address
        "email_verified": email_verified and shown_email == email,
    }
    row = await connection.execute(
        insert(users)
        .values(id=new_id("usr"), issuer=issuer, subject=subject, is_operator=is_operator, **values)
        .on_conflict_do_update(index_elements=["issuer", "subject"], set_=values)
        .returning(users.c.id)
    )
    return str(row.scalar_one())


async def add_member(connection: AsyncConnection, tenant_id: str, user_id: str, role: Role) -> None:
    """Make someone a member; an existing member keeps their role."""
    await connection.execute(
        insert(members)
        .values(tenant_id=tenant_id, user_id=user_id, role=role.value)
        .on_conflict_do_nothing()
    )


async def memberships(connection: AsyncConnection, user_id: str) -> list[Membership]:
    """Return the person's tenants, oldest membership first, with the role in each."""
    rows = await connection.execute(
        select(tenants, members.c.role)
        .join(members, members.c.tenant_id == tenants.c.id)
        .where(members.c.user_id == user_id)
        .order_by(members.c.created_at, tenants.c.id)
    )
    return [
        Membership(tenant=Tenant.model_validate(dict(row)), role=Role(row["role"]))
        for row in rows.mappings()
    ]


async def list_members(
    connection: AsyncConnection, tenant_id: str, *, cursor: str | None, limit: int
) -> Page[Member]:
    """Return a page of the tenant's members, by the age of their account."""
    query = (
        _MEMBER.where(members.c.tenant_id == tenant_id).order_by(members.c.user_id).limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(members.c.user_id > Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    return page_of([_member(row) for row in rows], limit, lambda member: member.user_id)


async def change_role(
    connection: AsyncConnection, caller: Principal, user_id: str, role: Role
) -> Member:
    """Give a member another role.

    Raises ``NotFound``, ``Conflict`` for the last owner, and ``Forbidden`` if somebody who is not
    an owner makes or unmakes one.
    """
    if role is Role.OPERATOR:
        raise RoleNotAssignable()
    member = await _locked_member(connection, caller.tenant_id, user_id)
    if Role.OWNER in {member.role, role} and caller.role not in {Role.OWNER, Role.OPERATOR}:
        raise OwnerRequired("Only an owner can make or unmake an owner.")
    if member.role is Role.OWNER and role is not Role.OWNER:
        await _require_another_owner(connection, caller.tenant_id, user_id)
    await role_now(connection, caller, Permission.MEMBERS_WRITE)
    await connection.execute(
        update(members)
        .where(members.c.tenant_id == caller.tenant_id, members.c.user_id == user_id)
        .values(role=role.value)
    )
    await _revoke_invitations(connection, caller, invitations.c.created_by == user_id)
    changed: dict[str, object] = {"role": role.value, "was": member.role.value}
    await record(connection, caller, "member.change", user_id, detail=changed)
    return member.model_copy(update={"role": role})


@dataclass(frozen=True, slots=True)
class KeysLeft:
    """What becomes of the API keys that a removed member made: ``hand_over_to`` is a member."""

    choice: Literal["revoke", "hand_over"]
    hand_over_to: str | None = None


async def remove_member(
    connection: AsyncConnection, caller: Principal, user_id: str, keys: KeysLeft | None = None
) -> None:
    """End a membership, and do with the member's keys as ``keys`` says.

    Raises ``NotFound``, ``Conflict`` for the last owner, and ``Forbidden`` if somebody who is not
    an owner removes one; ``MemberHasKeys`` if the member made keys that work and ``keys`` is None,
    ``HeirNotAllowed`` if they can't be handed over to that person.
    """
    member = await _locked_member(connection, caller.tenant_id, user_id)
    if member.role is Role.OWNER:
        if caller.role not in {Role.OWNER, Role.OPERATOR}:
            raise OwnerRequired("Only an owner can remove an owner.")
        await _require_another_owner(connection, caller.tenant_id, user_id)
    await role_now(connection, caller, Permission.MEMBERS_WRITE)
    # Before the keys are looked up: from now on they can make no other
    await connection.execute(
        delete(members).where(members.c.tenant_id == caller.tenant_id, members.c.user_id == user_id)
    )
    # Else they could come back by their own link, or by one that is still open for their address
    theirs = or_(
        invitations.c.created_by == user_id,
        func.lower(invitations.c.email) == (member.email or "").lower(),
    )
    await _revoke_invitations(connection, caller, theirs)
    key_ids = await keys_made_by(connection, caller.tenant_id, user_id)
    if key_ids:
        await _dispose(connection, caller, key_ids, keys)
    detail: dict[str, object] = {"was": member.role.value}
    if key_ids and keys is not None:
        detail |= {"keys": keys.choice, "key_count": len(key_ids)}
    await record(connection, caller, "member.remove", user_id, detail=detail)


async def _dispose(
    connection: AsyncConnection, caller: Principal, key_ids: list[str], keys: KeysLeft | None
) -> None:
    if keys is None:
        raise MemberHasKeys(
            f"This member made {len(key_ids)} keys that still work. Revoke them (keys=revoke), or "
            "hand them over (keys=hand_over) to another member (hand_over_to)."
        )
    if keys.choice == "revoke":
        await revoke_keys(connection, caller, key_ids)
        return
    role = await connection.scalar(
        select(members.c.role).where(
            members.c.tenant_id == caller.tenant_id, members.c.user_id == keys.hand_over_to
        )
    )
    if role is None or Permission.KEYS_WRITE not in ROLE_PERMISSIONS[Role(role)]:
        raise HeirNotAllowed()
    await hand_over_keys(connection, caller, key_ids, str(keys.hand_over_to))


async def _revoke_invitations(
    connection: AsyncConnection, caller: Principal, which: ColumnElement[bool]
) -> None:
    revoked = await connection.execute(
        update(invitations)
        .where(
            invitations.c.tenant_id == caller.tenant_id,
            invitations.c.accepted_at.is_(None),
            invitations.c.revoked_at.is_(None),
            which,
        )
        .values(revoked_at=func.now())
        .returning(invitations.c.id)
    )
    for invitation_id in sorted(revoked.scalars()):
        await record(connection, caller, "invitation.revoke", invitation_id)


async def _locked_member(connection: AsyncConnection, tenant_id: str, user_id: str) -> Member:
    # Changes to a tenant's members wait for each other, or two could each remove the other owner.
    await connection.execute(
        select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update()
    )
    result = await connection.execute(
        _MEMBER.where(members.c.tenant_id == tenant_id, members.c.user_id == user_id)
    )
    row = result.mappings().first()
    if row is None:
        raise MemberNotFound()
    return _member(row)


async def _require_another_owner(connection: AsyncConnection, tenant_id: str, user_id: str) -> None:
    others = await connection.execute(
        select(members.c.user_id).where(
            members.c.tenant_id == tenant_id,
            members.c.user_id != user_id,
            members.c.role == Role.OWNER.value,
        )
    )
    if others.first() is None:
        raise LastOwner()
