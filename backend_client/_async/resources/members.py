"""The people of a tenant."""

from __future__ import annotations

from typing import Literal

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import delete, get, path, send
from backend_client.queries import query
from backend_client.types.accounts import (
    Invitation,
    InvitationAccept,
    InvitationCreate,
    InvitationCreated,
    Member,
    MemberChange,
    Membership,
)
from backend_client.types.common import Page


class AsyncMembersResource(AsyncResource):
    """The members of a tenant and their roles. ``tenant`` is another's; for the operator."""

    def list(
        self, *, tenant: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[Member]:
        """List the members."""
        at = path("members", tenant=tenant)
        call = get(at, Page[Member], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def update(
        self, user_id: str, change: MemberChange, *, tenant: str | None = None
    ) -> Member:
        """Give a member another role."""
        at = path("members", user_id, tenant=tenant)
        return await self._sender.send(send("PATCH", at, change, Member, repeatable=True))

    async def remove(
        self,
        user_id: str,
        *,
        keys: Literal["revoke", "hand_over"] | None = None,
        hand_over_to: str | None = None,
        tenant: str | None = None,
    ) -> None:
        """End a membership; ``keys`` says what becomes of the API keys that the member made.

        Without it ``Conflict`` is raised if any of them works.
        """
        params = query(keys=keys, hand_over_to=hand_over_to)
        at = path("members", user_id, tenant=tenant)
        await self._sender.send(delete(at, params, repeatable=False))


class AsyncInvitationsResource(AsyncResource):
    """Invitations to become a member. ``tenant`` is another's; for the operator."""

    def list(
        self, *, tenant: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[Invitation]:
        """List the invitations, newest first."""
        at = path("invitations", tenant=tenant)
        call = get(at, Page[Invitation], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def create(
        self, invitation: InvitationCreate, *, tenant: str | None = None
    ) -> InvitationCreated:
        """Create an invitation; its link's secret is in this answer alone."""
        at = path("invitations", tenant=tenant)
        call = send("POST", at, invitation, InvitationCreated, repeatable=False)
        return await self._sender.send(call)

    async def accept(self, acceptance: InvitationAccept) -> Membership:
        """Become a member by an invitation's secret."""
        at = path("invitations", "accept")
        call = send("POST", at, acceptance, Membership, repeatable=False)
        return await self._sender.send(call)

    async def revoke(self, invitation_id: str, *, tenant: str | None = None) -> None:
        """Revoke an invitation, so that its link no longer works."""
        at = path("invitations", invitation_id, tenant=tenant)
        await self._sender.send(delete(at, repeatable=True))
