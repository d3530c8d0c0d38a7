"""API keys and the applications that they belong to."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import create, delete, get, path, send
from backend_client.queries import query
from backend_client.types.accounts import (
    ApiKey,
    ApiKeyChange,
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyRotate,
    Application,
    ApplicationCreate,
)
from backend_client.types.common import Page


class AsyncApplicationsResource(AsyncResource):
    """A tenant's applications: keys and usage belong to one."""

    def list(
        self, *, tenant: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[Application]:
        """List the applications, oldest first; another ``tenant``'s, for the operator."""
        at = path("applications", tenant=tenant)
        call = get(at, Page[Application], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def create(self, application: ApplicationCreate) -> Application:
        """Create an application."""
        return await self._sender.send(create(path("applications"), application, Application))


class AsyncKeysResource(AsyncResource):
    """API keys. A key's secret is in the answer that creates or rotates it, and in no other."""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> AsyncPager[ApiKey]:
        """List the keys, newest first, revoked ones too."""
        call = get(path("keys"), Page[ApiKey], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def get(self, key_id: str) -> ApiKey:
        """Get a key."""
        return await self._sender.send(get(path("keys", key_id), ApiKey))

    async def create(self, key: ApiKeyCreate) -> ApiKeyCreated:
        """Create a key."""
        # Not repeated: the secret is in the first answer alone, and a second could not show it.
        call = send("POST", path("keys"), key, ApiKeyCreated, repeatable=False)
        return await self._sender.send(call)

    async def update(self, key_id: str, change: ApiKeyChange) -> ApiKey:
        """Change a key's name or limits."""
        call = send("PATCH", path("keys", key_id), change, ApiKey, repeatable=True)
        return await self._sender.send(call)

    async def rotate(self, key_id: str, rotation: ApiKeyRotate) -> ApiKeyCreated:
        """Give a key a new secret; the old one works through the grace period."""
        at = path("keys", key_id, "rotate")
        call = send("POST", at, rotation, ApiKeyCreated, repeatable=False)
        return await self._sender.send(call)

    async def revoke(self, key_id: str) -> None:
        """Revoke a key for good."""
        await self._sender.send(delete(path("keys", key_id), repeatable=True))
