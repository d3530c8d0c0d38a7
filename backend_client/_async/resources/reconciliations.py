"""Providers' exports beside what was metered; for the operator."""

from __future__ import annotations

from collections.abc import Sequence

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client._async.sender import AsyncSender
from backend_client.calls import delete, get, get_text, path, post, provider_export, send
from backend_client.queries import query
from backend_client.types.common import Page
from backend_client.types.reconciliation import (
    Discrepancy,
    DiscrepancyChange,
    DiscrepancyStatus,
    Reconciliation,
    ReconciliationOptions,
)


class AsyncDiscrepanciesResource(AsyncResource):
    """Where a provider and Farebox differ; for the operator."""

    def list(
        self,
        reconciliation_id: str,
        *,
        status: Sequence[DiscrepancyStatus] = (),
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPager[Discrepancy]:
        """List what differs, by day, model and meter."""
        at = path("reconciliations", reconciliation_id, "discrepancies")
        params = query(status=status, limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(at, Page[Discrepancy], params))

    async def csv(self, reconciliation_id: str, *, status: Sequence[DiscrepancyStatus] = ()) -> str:
        """Get what differs as CSV."""
        at = path("reconciliations", reconciliation_id, "discrepancies")
        return await self._sender.send(get_text(at, query(status=status, format="csv")))

    async def update(
        self, reconciliation_id: str, discrepancy_id: str, change: DiscrepancyChange
    ) -> Discrepancy:
        """Set a discrepancy's status, with a note that says why."""
        at = path("reconciliations", reconciliation_id, "discrepancies", discrepancy_id)
        return await self._sender.send(send("PATCH", at, change, Discrepancy, repeatable=False))


class AsyncReconciliationsResource(AsyncResource):
    """Imports of providers' exports, compared with what was metered; for the operator."""

    def __init__(self, sender: AsyncSender) -> None:
        super().__init__(sender)
        self.discrepancies = AsyncDiscrepanciesResource(sender)

    def list(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[Reconciliation]:
        """List the imports, newest first."""
        params = query(limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(path("reconciliations"), Page[Reconciliation], params))

    async def get(self, reconciliation_id: str) -> Reconciliation:
        """Get an import and how it compares."""
        at = path("reconciliations", reconciliation_id)
        return await self._sender.send(get(at, Reconciliation))

    async def create(
        self, export: bytes, options: ReconciliationOptions, *, name: str = ""
    ) -> Reconciliation:
        """Import a provider's export and compare it; the same file again is the same import."""
        return await self._sender.send(provider_export(export, options, name))

    async def remove(self, reconciliation_id: str) -> None:
        """Remove an import with its discrepancies and notes: it can be imported again."""
        call = delete(path("reconciliations", reconciliation_id), repeatable=True)
        await self._sender.send(call)

    async def rematch(self, reconciliation_id: str) -> Reconciliation:
        """Compare an import with what is metered now."""
        at = path("reconciliations", reconciliation_id, "match")
        return await self._sender.send(post(at, Reconciliation, repeatable=True))
