"""The operator's model providers."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import delete, get, path, send
from backend_client.types.common import Page
from backend_client.types.upstreams import Upstream, UpstreamPut


class AsyncUpstreamsResource(AsyncResource):
    """The model providers that calls are forwarded to; for the operator. No key is shown."""

    def list(self) -> AsyncPager[Upstream]:
        """List the upstreams, those of the settings first."""
        return AsyncPager(self._sender, get(path("upstreams"), Page[Upstream]))

    async def get(self, name: str) -> Upstream:
        """Get one upstream."""
        return await self._sender.send(get(path("upstreams", name), Upstream))

    async def put(self, name: str, upstream: UpstreamPut) -> Upstream:
        """Set an upstream; without ``keys`` it keeps those that it has."""
        call = send("PUT", path("upstreams", name), upstream, Upstream, repeatable=True)
        return await self._sender.send(call)

    async def delete(self, name: str) -> None:
        """Delete an upstream with its keys."""
        await self._sender.send(delete(path("upstreams", name), repeatable=True))
