"""Signing in, and who is signed in."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import delete, edit, get, path, post, send
from backend_client.queries import query
from backend_client.types.accounts import (
    LocalSessionCreate,
    Me,
    OwnTenantChange,
    SessionChange,
    SessionCreate,
    SessionCreated,
    SignInOptions,
    Tenant,
)
from backend_client.types.common import Page
from backend_client.types.sessions import Session


class AsyncSessionsResource(AsyncResource):
    """Sessions of people. Their token is a credential; the one in use is the current session."""

    async def options(self) -> SignInOptions:
        """Say which ways to sign in there are."""
        return await self._sender.send(get(path("sign-in"), SignInOptions))

    async def create(self, session: SessionCreate) -> SessionCreated:
        """Begin a session with the identity provider's ID token."""
        call = send("POST", path("sessions"), session, SessionCreated, repeatable=False)
        return await self._sender.send(call)

    async def create_local(self, session: LocalSessionCreate) -> SessionCreated:
        """Begin a session for the person at this machine."""
        call = send("POST", path("sessions", "local"), session, SessionCreated, repeatable=False)
        return await self._sender.send(call)

    async def switch_tenant(self, change: SessionChange) -> Me:
        """Let the current session act for another of the person's tenants."""
        call = send("PATCH", path("sessions", "current"), change, Me, repeatable=True)
        return await self._sender.send(call)

    async def view_tenant(self, tenant_id: str) -> Me:
        """Look at a tenant as its owners see it, and change nothing, for an hour; for operators."""
        at = path("tenants", tenant_id, "view")
        return await self._sender.send(post(at, Me, repeatable=True))

    async def leave_view(self) -> None:
        """Leave the tenant that the current session looks at; may be repeated."""
        at = path("sessions", "current", "view")
        await self._sender.send(delete(at, repeatable=True))

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> AsyncPager[Session]:
        """List the person's own sessions, newest first."""
        call = get(path("sessions"), Page[Session], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def end_one(self, session_id: str) -> None:
        """End one of the person's own sessions."""
        await self._sender.send(delete(path("sessions", session_id), repeatable=False))

    async def end_others(self) -> None:
        """End all of the person's sessions but the current one: sign out everywhere else."""
        await self._sender.send(delete(path("sessions"), repeatable=True))

    def list_of_member(
        self, tenant_id: str, user_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[Session]:
        """List a member's sessions, newest first; for the operator."""
        at = path("tenants", tenant_id, "members", user_id, "sessions")
        call = get(at, Page[Session], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def end_all_of_member(self, tenant_id: str, user_id: str) -> None:
        """End all of a member's sessions; for the operator."""
        at = path("tenants", tenant_id, "members", user_id, "sessions")
        await self._sender.send(delete(at, repeatable=True))

    async def end(self) -> None:
        """End the current session: sign out."""
        await self._sender.send(delete(path("sessions", "current"), repeatable=False))


class AsyncMeResource(AsyncResource):
    """Who the credential belongs to."""

    async def get(self) -> Me:
        """Get the person or key behind the credential, its tenant, and what it may do."""
        return await self._sender.send(get(path("me"), Me))

    async def update_tenant(self, change: OwnTenantChange) -> Tenant:
        """Rename the tenant that the credential acts for; for its owners and admins."""
        return await self._sender.send(edit(path("tenant"), change, Tenant))
