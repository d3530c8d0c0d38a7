"""The operator's own keys."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import delete, get, path, send
from backend_client.queries import query
from backend_client.types.common import Page
from backend_client.types.operator_keys import OperatorKey, OperatorKeyCreate, OperatorKeyCreated


class AsyncOperatorKeysResource(AsyncResource):
    """The operator's keys; a key's secret is in the answer that creates it, and in no other."""

    def list(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[OperatorKey]:
        """List the keys, oldest first, revoked ones too; for the operator."""
        params = query(limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(path("operator-keys"), Page[OperatorKey], params))

    async def create(self, key: OperatorKeyCreate) -> OperatorKeyCreated:
        """Create a key with scopes that the caller has itself; for the operator."""
        # Not repeated: the secret is in the first answer alone, and a second could not show it.
        at = path("operator-keys")
        call = send("POST", at, key, OperatorKeyCreated, repeatable=False)
        return await self._sender.send(call)

    async def revoke(self, key_id: str) -> None:
        """Revoke a key for good; for the operator."""
        await self._sender.send(delete(path("operator-keys", key_id), repeatable=True))
