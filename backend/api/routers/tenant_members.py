"""A tenant's members and invitations, for the operator who acts for it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.members.invitations import list_invitations, revoke_invitation
from backend.accounts.members.members import change_role, list_members, remove_member
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import PageCursor, PageLimit, ServicesNow, needs
from backend.api.members_keys import KeysFor, KeysOfMember, keys_left
from backend.api.path_parameters import InvitationId, TenantId, UserId
from backend.api.tenant_scope import customer
from backend.customers.inviting import invite_for
from backend_client.types.accounts import (
    Invitation,
    InvitationCreate,
    InvitationCreated,
    Member,
    MemberChange,
)
from backend_client.types.common import Page

router = APIRouter(tags=["operator"])

Reader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Admin = Annotated[Principal, Depends(needs(Permission.OPERATE_ADMIN))]

_MEMBERS = "/v1/tenants/{tenant_id}/members"
_INVITATIONS = "/v1/tenants/{tenant_id}/invitations"


@router.get(_MEMBERS)
async def get_tenant_members(
    services: ServicesNow,
    caller: Reader,
    tenant_id: TenantId,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[Member]:
    """List a tenant's members."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return await list_members(connection, tenant.id, cursor=cursor, limit=limit)


@router.patch(_MEMBERS + "/{user_id}")
async def patch_tenant_member(
    services: ServicesNow, caller: Admin, tenant_id: TenantId, user_id: UserId, change: MemberChange
) -> Member:
    """Give a member of a tenant another role. The last owner keeps theirs."""
    async with services.database.begin() as connection:
        operator, _ = await customer(connection, caller, tenant_id)
        return await change_role(connection, operator, user_id, change.role)


@router.delete(_MEMBERS + "/{user_id}", status_code=204)
async def delete_tenant_member(
    services: ServicesNow,
    caller: Admin,
    tenant_id: TenantId,
    user_id: UserId,
    keys: KeysOfMember = None,
    hand_over_to: KeysFor = None,
) -> None:
    """End a membership of a tenant, as the tenant itself can. The last owner stays."""
    left = keys_left(keys, hand_over_to)
    async with services.database.begin() as connection:
        operator, _ = await customer(connection, caller, tenant_id)
        await remove_member(connection, operator, user_id, left)


@router.get(_INVITATIONS)
async def get_tenant_invitations(
    services: ServicesNow,
    caller: Reader,
    tenant_id: TenantId,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[Invitation]:
    """List a tenant's invitations, newest first, closed ones included."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return await list_invitations(connection, tenant.id, cursor=cursor, limit=limit)


@router.post(_INVITATIONS, status_code=201)
async def post_tenant_invitation(
    services: ServicesNow, caller: Admin, tenant_id: TenantId, wanted: InvitationCreate
) -> InvitationCreated:
    """Invite somebody to a tenant, an owner too. The link is in this answer and nowhere else.

    With an ``email`` signing in with that verified address accepts it as well, and a letter that
    says so is sent where mail is configured.
    """
    async with services.database.begin() as connection:
        operator, tenant = await customer(connection, caller, tenant_id)
        return await invite_for(connection, services.settings, operator, tenant, wanted)


@router.delete(_INVITATIONS + "/{invitation_id}", status_code=204)
async def delete_tenant_invitation(
    services: ServicesNow, caller: Admin, tenant_id: TenantId, invitation_id: InvitationId
) -> None:
    """Close an invitation to a tenant that was not accepted."""
    async with services.database.begin() as connection:
        operator, _ = await customer(connection, caller, tenant_id)
        await revoke_invitation(connection, operator, invitation_id)
