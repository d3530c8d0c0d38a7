"""What was used."""

from __future__ import annotations

from typing import Unpack

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import delete, get, get_text, if_changed, path, put
from backend_client.queries import query, usage_query
from backend_client.types.common import Page
from backend_client.types.events import DeclaredLabel
from backend_client.types.usage import UsageQuery, UsageReport


class AsyncUsageResource(AsyncResource):
    """Usage over time, as metered."""

    async def report(
        self, *, etag: str | None = None, **usage: Unpack[UsageQuery]
    ) -> UsageReport | None:
        """Sum usage by time, meter and what ``group_by`` and ``group_by_label`` name.

        None if ``etag``, of an answer to the same question before, is still current.
        """
        call = get(path("usage"), UsageReport, usage_query(usage))
        return await self._sender.send(if_changed(call, etag))

    async def csv(self, **usage: Unpack[UsageQuery]) -> str:
        """Get the same sums as CSV."""
        call = get_text(path("usage"), {**usage_query(usage), "format": "csv"})
        return await self._sender.send(call)


class AsyncLabelsResource(AsyncResource):
    """The labels of events that usage can be grouped by."""

    def list(self) -> AsyncPager[DeclaredLabel]:
        """List the tenant's declared labels."""
        return AsyncPager(self._sender, get(path("labels"), Page[DeclaredLabel]))

    async def declare(self, label: str, *, tenant: str | None = None) -> DeclaredLabel:
        """Count usage by a label from now on; for the operator."""
        call = put(path("labels", label), DeclaredLabel, query(tenant=tenant))
        return await self._sender.send(call)

    async def withdraw(self, label: str, *, tenant: str | None = None) -> None:
        """Count usage by that label no longer; for the operator."""
        call = delete(path("labels", label), query(tenant=tenant), repeatable=False)
        await self._sender.send(call)
