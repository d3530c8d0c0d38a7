"""The log of calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Unpack

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import get, get_text, path, send
from backend_client.queries import requests_query
from backend_client.types.common import Page
from backend_client.types.requests import (
    BodyLogging,
    LoggedRequest,
    LoggedRequestDetails,
    RequestFilter,
)


class AsyncRequestsResource(AsyncResource):
    """How each call through the gateway went, for as long as the log is kept."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        **wanted: Unpack[RequestFilter],
    ) -> AsyncPager[LoggedRequest]:
        """List the tenant's calls, the newest first, refused ones included."""
        params = requests_query(wanted, limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(path("requests"), Page[LoggedRequest], params))

    def list_of(
        self,
        tenant_id: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        **wanted: Unpack[RequestFilter],
    ) -> AsyncPager[LoggedRequest]:
        """List a tenant's calls and which upstreams served them; for the operator."""
        at = path("tenants", tenant_id, "requests")
        params = requests_query(wanted, limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(at, Page[LoggedRequest], params))

    async def get(self, logged_id: str) -> LoggedRequestDetails:
        """Get a call, with its bodies where they are kept."""
        return await self._sender.send(get(path("requests", logged_id), LoggedRequestDetails))

    async def export(self, **wanted: Unpack[RequestFilter]) -> AsyncGenerator[str, None]:
        """Get the tenant's calls as CSV, the newest first; its text comes in parts."""
        call = get_text(path("requests", "export"), requests_query(wanted))
        async with self._sender.stream(call, self._sender.profile.timeout) as response:
            async for part in response.aiter_text():
                yield part

    async def body_logging(self, application_id: str) -> BodyLogging:
        """Get whether the log keeps the bodies of an application's calls."""
        at = path("applications", application_id, "body-logging")
        return await self._sender.send(get(at, BodyLogging))

    async def set_body_logging(self, application_id: str, logging: BodyLogging) -> BodyLogging:
        """Have the log keep the bodies of an application's calls, or no longer; for admins."""
        at = path("applications", application_id, "body-logging")
        call = send("PUT", at, logging, BodyLogging, repeatable=True)
        return await self._sender.send(call)
