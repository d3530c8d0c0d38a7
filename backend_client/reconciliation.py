"""The clients' methods for token counts, their drift, and providers' exports."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date, datetime

from backend_client.requests import reconciliation as requests
from backend_client.sending import AsyncSender, Sender
from backend_client.types.drift import DriftReport
from backend_client.types.reconciliation import (
    Discrepancy,
    DiscrepancyChange,
    DiscrepancyStatus,
    MarginReport,
    Reconciliation,
    ReconciliationOptions,
)
from backend_client.types.tokens import TokenCountRequest, TokenCountResult


class ReconciliationMethods(Sender):
    """Those of the synchronous client."""

    def count_tokens(self, wanted: TokenCountRequest) -> TokenCountResult:
        """Count what a chat or a text costs, without asking the model."""
        return self._do(requests.count_tokens(wanted))

    def drift(
        self,
        *,
        start: date | None = None,
        end: date | None = None,
        models: Sequence[str] = (),
    ) -> DriftReport:
        """What providers reported against our own counts; for the operator."""
        return self._do(requests.drift(start, end, models))

    def import_export(
        self, content: bytes, options: ReconciliationOptions, name: str = ""
    ) -> Reconciliation:
        """Import a provider's export and match it; harmless to repeat; for the operator."""
        return self._do(requests.import_export(content, options, name))

    def reconciliations(self) -> list[Reconciliation]:
        """All imports, newest first; for the operator."""
        return self._all(requests.reconciliations())

    def reconciliation(self, reconciliation_id: str) -> Reconciliation:
        """One import; for the operator."""
        return self._do(requests.reconciliation(reconciliation_id))

    def match_again(self, reconciliation_id: str) -> Reconciliation:
        """Compare an import with what is metered now; for the operator."""
        return self._do(requests.match_again(reconciliation_id))

    def discrepancies(
        self,
        reconciliation_id: str,
        statuses: Sequence[DiscrepancyStatus] = (),
        most: int | None = None,
    ) -> list[Discrepancy]:
        """What differs, by day, model and meter, up to ``most``; for the operator."""
        found = self._items(requests.discrepancies(reconciliation_id, statuses))
        return list(itertools.islice(found, most))

    def discrepancies_csv(
        self, reconciliation_id: str, statuses: Sequence[DiscrepancyStatus] = ()
    ) -> str:
        """What differs, as CSV; for the operator."""
        return self._do(requests.discrepancies_csv(reconciliation_id, statuses))

    def change_discrepancy(
        self, reconciliation_id: str, discrepancy_id: str, change: DiscrepancyChange
    ) -> Discrepancy:
        """Say what is made of a discrepancy; for the operator."""
        return self._do(requests.change_discrepancy(reconciliation_id, discrepancy_id, change))

    def margin(self, at: datetime | None = None, cursor: str | None = None) -> MarginReport:
        """What each tenant's use of each model brought and cost; for the operator."""
        return self._do(requests.margin(at, cursor))


class AsyncReconciliationMethods(AsyncSender):
    """Those of the asynchronous client."""

    async def count_tokens(self, wanted: TokenCountRequest) -> TokenCountResult:
        """Count what a chat or a text costs, without asking the model."""
        return await self._do(requests.count_tokens(wanted))

    async def drift(
        self,
        *,
        start: date | None = None,
        end: date | None = None,
        models: Sequence[str] = (),
    ) -> DriftReport:
        """What providers reported against our own counts; for the operator."""
        return await self._do(requests.drift(start, end, models))

    async def import_export(
        self, content: bytes, options: ReconciliationOptions, name: str = ""
    ) -> Reconciliation:
        """Import a provider's export and match it; harmless to repeat; for the operator."""
        return await self._do(requests.import_export(content, options, name))

    async def reconciliations(self) -> list[Reconciliation]:
        """All imports, newest first; for the operator."""
        return await self._all(requests.reconciliations())

    async def reconciliation(self, reconciliation_id: str) -> Reconciliation:
        """One import; for the operator."""
        return await self._do(requests.reconciliation(reconciliation_id))

    async def match_again(self, reconciliation_id: str) -> Reconciliation:
        """Compare an import with what is metered now; for the operator."""
        return await self._do(requests.match_again(reconciliation_id))

    async def discrepancies(
        self,
        reconciliation_id: str,
        statuses: Sequence[DiscrepancyStatus] = (),
        most: int | None = None,
    ) -> list[Discrepancy]:
        """What differs, by day, model and meter, up to ``most``; for the operator."""
        found: list[Discrepancy] = []
        async for one in self._items(requests.discrepancies(reconciliation_id, statuses)):
            if len(found) == most:
                break
            found.append(one)
        return found

    async def discrepancies_csv(
        self, reconciliation_id: str, statuses: Sequence[DiscrepancyStatus] = ()
    ) -> str:
        """What differs, as CSV; for the operator."""
        return await self._do(requests.discrepancies_csv(reconciliation_id, statuses))

    async def change_discrepancy(
        self, reconciliation_id: str, discrepancy_id: str, change: DiscrepancyChange
    ) -> Discrepancy:
        """Say what is made of a discrepancy; for the operator."""
        return await self._do(
            requests.change_discrepancy(reconciliation_id, discrepancy_id, change)
        )

    async def margin(self, at: datetime | None = None, cursor: str | None = None) -> MarginReport:
        """What each tenant's use of each model brought and cost; for the operator."""
        return await self._do(requests.margin(at, cursor))
