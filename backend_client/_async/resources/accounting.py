"""The seller's books."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import get, get_bytes, get_text, path, send
from backend_client.queries import query
from backend_client.types.accounting import (
    BookEntry,
    BookTermsPut,
    BookTermsVersion,
    RevenueSchedule,
)
from backend_client.types.common import Page
from backend_client.types.journals import JournalFormat


class AsyncAccountingResource(AsyncResource):
    """The journal, and revenue by month. A month is its first day: ``2026-03-01``."""

    async def terms(self) -> BookTermsVersion:
        """Get how the books are kept: accounts, clocks, forms of files."""
        return await self._sender.send(get(path("accounting", "terms"), BookTermsVersion))

    async def set_terms(self, terms: BookTermsPut) -> BookTermsVersion:
        """Change how the books are kept; name the revision that was read."""
        at = path("accounting", "terms")
        call = send("PUT", at, terms, BookTermsVersion, repeatable=True)
        return await self._sender.send(call)

    def journal(
        self,
        first: str,
        last: str | None = None,
        *,
        tenant: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPager[BookEntry]:
        """List the entries of months, a page of ``limit`` tenants at a time."""
        params = query(first=first, last=last, tenant=tenant, limit=limit, cursor=cursor)
        call = get(path("accounting", "journal"), Page[BookEntry], params)
        return AsyncPager(self._sender, call)

    async def journal_file(
        self,
        first: str,
        last: str | None = None,
        *,
        format: JournalFormat = JournalFormat.CSV,  # noqa: A002 - as the API calls it
        tenant: str | None = None,
        currency: str | None = None,
    ) -> bytes:
        """Get the entries of months as a file for an accounting program."""
        params = query(first=first, last=last, tenant=tenant, currency=currency, format=format)
        return await self._sender.send(
            get_bytes(path("accounting", "journal", suffix=".csv"), params)
        )

    async def revenue(
        self, first: str, last: str | None = None, *, tenant: str | None = None
    ) -> RevenueSchedule:
        """Get revenue by month: deferred, unbilled, and of prepaid credit."""
        params = query(first=first, last=last, tenant=tenant)
        return await self._sender.send(get(path("accounting", "revenue"), RevenueSchedule, params))

    async def revenue_csv(
        self, first: str, last: str | None = None, *, tenant: str | None = None
    ) -> str:
        """Get revenue by month as CSV, tenant by tenant."""
        params = query(first=first, last=last, tenant=tenant)
        at = path("accounting", "revenue", suffix=".csv")
        return await self._sender.send(get_text(at, params))
