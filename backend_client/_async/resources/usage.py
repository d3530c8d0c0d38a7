"""What was used."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Unpack

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import Call, delete, get, get_text, if_changed, nothing, path, put
from backend_client.queries import calls_query, cost_query, query, usage_query
from backend_client.streams import event_data, usage_version_of
from backend_client.types.calls import CallsQuery, CallsReport
from backend_client.types.common import Page
from backend_client.types.cost import CostQuery, CostReport
from backend_client.types.events import DeclaredLabel
from backend_client.types.usage import UsageQuery, UsageReport, UsageVersion


class AsyncUsageResource(AsyncResource):
    """Usage over time, as metered."""

    async def report(
        self, *, tenant: str | None = None, etag: str | None = None, **usage: Unpack[UsageQuery]
    ) -> UsageReport | None:
        """Sum usage by time, meter and what ``group_by`` and ``group_by_label`` name.

        None if ``etag``, of an answer to the same question before, is still current. ``tenant`` is
        another's id or slug; for the operator.
        """
        call = get(path("usage", tenant=tenant), UsageReport, usage_query(usage))
        return await self._sender.send(if_changed(call, etag))

    async def csv(self, *, tenant: str | None = None, **usage: Unpack[UsageQuery]) -> str:
        """Get the same sums as CSV."""
        call = get_text(path("usage", tenant=tenant), {**usage_query(usage), "format": "csv"})
        return await self._sender.send(call)

    async def calls(self, *, tenant: str | None = None, **calls: Unpack[CallsQuery]) -> CallsReport:
        """Count calls by time and what ``group_by`` names, with percentiles of their times.

        ``tenant`` is another's id or slug; for the operator.
        """
        call = get(path("usage", "calls", tenant=tenant), CallsReport, calls_query(calls))
        return await self._sender.send(call)

    async def cost(self, *, tenant: str | None = None, **cost: Unpack[CostQuery]) -> CostReport:
        """Get what usage cost by time and what ``group_by`` and ``group_by_label`` name, unrounded.

        ``tenant`` is another's id or slug; for the operator.
        """
        call = get(path("usage", "cost", tenant=tenant), CostReport, cost_query(cost))
        return await self._sender.send(call)

    async def changes(self, *, seconds: int | None = None) -> AsyncGenerator[UsageVersion, None]:
        """Follow the version of the tenant's usage: as it is now, and after each change.

        Ends after a quarter of an hour, or ``seconds``. Raises ``Unavailable`` if it breaks off:
        there is a sign of life every five seconds.
        """
        headers = {"accept": "text/event-stream"}
        call = Call("GET", path("usage", "changes"), nothing, query(seconds=seconds), headers)
        async with self._sender.stream(call, self._sender.profile.timeout) as response:
            async for line in response.aiter_lines():
                data = event_data(line)
                if data is not None:
                    yield usage_version_of(data, response)


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
