"""Invitations to the tenant."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.errors import InvitationNotFound
from backend.accounts.members.invitations import (
    accept_invitation,
    invite,
    list_invitations,
    revoke_invitation,
)
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import Caller, PageCursor, PageLimit, ServicesNow, needs
from backend.api.path_parameters import InvitationId
from backend_client.types.accounts import (
    Invitation,
    InvitationAccept,
    InvitationCreate,
    InvitationCreated,
    Membership,
)
from backend_client.types.common import Page

router = APIRouter(tags=["accounts"])

Writer = Annotated[Principal, Depends(needs(Permission.MEMBERS_WRITE))]


@router.get("/v1/invitations")
async def get_invitations(
    services: ServicesNow, caller: Writer, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[Invitation]:
    """List invitations, newest first, closed ones included."""
    async with services.database.begin() as connection:
        return await list_invitations(connection, caller.tenant_id, cursor=cursor, limit=limit)


@router.post("/v1/invitations", status_code=201)
async def post_invitation(
    services: ServicesNow, caller: Writer, wanted: InvitationCreate
) -> InvitationCreated:
    """Invite somebody: hand them the secret, which is in this answer and nowhere else."""
    async with services.database.begin() as connection:
        return await invite(connection, caller, wanted, services.settings.portal_url)


@router.post("/v1/invitations/accept")
async def post_acceptance(
    services: ServicesNow, caller: Caller, wanted: InvitationAccept
) -> Membership:
    """Become a member by an invitation's secret. It works once, for a person's session only."""
    with services.guesses.slowed("invitation", caller.id, InvitationNotFound):
        async with services.database.begin() as connection:
            return await accept_invitation(connection, caller, wanted.secret)


@router.delete("/v1/invitations/{invitation_id}", status_code=204)
async def delete_invitation(
    services: ServicesNow, caller: Writer, invitation_id: InvitationId
) -> None:
    """Close an invitation that was not accepted."""
    async with services.database.begin() as connection:
        await revoke_invitation(connection, caller, invitation_id)
