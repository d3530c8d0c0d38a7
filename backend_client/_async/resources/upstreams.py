"""The operator's model providers."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import delete, get, path, post, send
from backend_client.types.common import Page
from backend_client.types.upstream_health import (
    TestProtocol,
    UpstreamStop,
    UpstreamTest,
    UpstreamTestRequest,
)
from backend_client.types.upstreams import Upstream, UpstreamPut


class AsyncUpstreamsResource(AsyncResource):
    """The model providers that calls are forwarded to; for the operator. No key is shown."""

    def list(self) -> AsyncPager[Upstream]:
        """List the upstreams and how they fare, those of the settings first."""
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

    async def disable(self, name: str, *, leave_unserved: bool = False) -> Upstream:
        """Send no more calls to an upstream; models without another must be agreed to."""
        return await self._stop(name, "disable", leave_unserved)

    async def enable(self, name: str) -> Upstream:
        """Send calls to an upstream again."""
        return await self._sender.send(
            post(path("upstreams", name, "enable"), Upstream, repeatable=True)
        )

    async def retire(self, name: str, *, leave_unserved: bool = False) -> Upstream:
        """Send no calls to an upstream ever again, and destroy its keys."""
        return await self._stop(name, "retire", leave_unserved)

    async def test(
        self, name: str, *, model: str | None = None, protocol: TestProtocol | None = None
    ) -> UpstreamTest:
        """Send an upstream a call of one word by each of its keys, and tell how they went."""
        wanted = UpstreamTestRequest(model=model, protocol=protocol)
        call = send("POST", path("upstreams", name, "test"), wanted, UpstreamTest, repeatable=False)
        return await self._sender.send(call)

    async def _stop(self, name: str, act: str, leave_unserved: bool) -> Upstream:
        wanted = UpstreamStop(leave_unserved=leave_unserved)
        call = send("POST", path("upstreams", name, act), wanted, Upstream, repeatable=True)
        return await self._sender.send(call)
