"""Signing in, and who is signed in."""

from __future__ import annotations

from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import delete, get, path, send
from backend_client.types.accounts import (
    LocalSessionCreate,
    Me,
    SessionChange,
    SessionCreate,
    SessionCreated,
    SignInOptions,
)


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

    async def end(self) -> None:
        """End the current session: sign out."""
        await self._sender.send(delete(path("sessions", "current"), repeatable=False))


class AsyncMeResource(AsyncResource):
    """Who the credential belongs to."""

    async def get(self) -> Me:
        """Get the person or key behind the credential, its tenant, and what it may do."""
        return await self._sender.send(get(path("me"), Me))
