"""The tenant's members."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.members.members import change_role, list_members, remove_member
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import PageCursor, PageLimit, ServicesNow, needs
from backend.api.members_keys import KeysFor, KeysOfMember, keys_left
from backend.api.path_parameters import UserId
from backend_client.types.accounts import Member, MemberChange
from backend_client.types.common import Page

router = APIRouter(tags=["accounts"])

Writer = Annotated[Principal, Depends(needs(Permission.MEMBERS_WRITE))]


@router.get("/v1/members")
async def get_members(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.MEMBERS_READ))],
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[Member]:
    """List members."""
    async with services.database.begin() as connection:
        return await list_members(connection, caller.tenant_id, cursor=cursor, limit=limit)


@router.patch("/v1/members/{user_id}")
async def patch_member(
    services: ServicesNow, caller: Writer, user_id: UserId, change: MemberChange
) -> Member:
    """Give a member another role. The last owner keeps theirs."""
    async with services.database.begin() as connection:
        return await change_role(connection, caller, user_id, change.role)


@router.delete("/v1/members/{user_id}", status_code=204)
async def delete_member(
    services: ServicesNow,
    caller: Writer,
    user_id: UserId,
    keys: KeysOfMember = None,
    hand_over_to: KeysFor = None,
) -> None:
    """End a membership. The last owner stays.

    If the member made keys that still work, ``keys`` must say what becomes of them; nothing is
    changed otherwise. Keys that are handed over keep their secrets, which the removed member may
    know: rotate them.
    """
    left = keys_left(keys, hand_over_to)
    async with services.database.begin() as connection:
        await remove_member(connection, caller, user_id, left)
