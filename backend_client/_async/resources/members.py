"""The people of a tenant."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import delete, get, path, send
from backend_client.queries import query
from backend_client.types.accounts import (
    AuditEntry,
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
    """The members of a tenant and their roles."""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> AsyncPager[Member]:
        """List the members."""
        call = get(path("members"), Page[Member], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def update(self, user_id: str, change: MemberChange) -> Member:
        """Give a member another role."""
        call = send("PATCH", path("members", user_id), change, Member, repeatable=True)
        return await self._sender.send(call)

    async def remove(self, user_id: str) -> None:
        """End a membership."""
        await self._sender.send(delete(path("members", user_id), repeatable=False))


class AsyncInvitationsResource(AsyncResource):
    """Invitations to become a member."""

    def list(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[Invitation]:
        """List the invitations, newest first."""
        call = get(path("invitations"), Page[Invitation], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def create(self, invitation: InvitationCreate) -> InvitationCreated:
        """Create an invitation; its link's secret is in this answer alone."""
        at = path("invitations")
        call = send("POST", at, invitation, InvitationCreated, repeatable=False)
        return await self._sender.send(call)

    async def accept(self, acceptance: InvitationAccept) -> Membership:
        """Become a member by an invitation's secret."""
        at = path("invitations", "accept")
        call = send("POST", at, acceptance, Membership, repeatable=False)
        return await self._sender.send(call)

    async def revoke(self, invitation_id: str) -> None:
        """Revoke an invitation, so that its link no longer works."""
        await self._sender.send(delete(path("invitations", invitation_id), repeatable=True))


class AsyncAuditResource(AsyncResource):
    """What was done in a tenant, and by whom."""

    def list(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[AuditEntry]:
        """List what was done in the tenant, the latest first; for owners."""
        call = get(path("audit"), Page[AuditEntry], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)
