"""The audit: who did what, from where."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Literal, Unpack

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import get, get_text, path
from backend_client.queries import Params, query
from backend_client.types.audit import AuditEntry, AuditFilter
from backend_client.types.common import Page


class AsyncAuditResource(AsyncResource):
    """What was done in a tenant and by whom, and for the operator in all of them."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        **wanted: Unpack[AuditFilter],
    ) -> AsyncPager[AuditEntry]:
        """List what was done in the tenant, the latest first; for owners and admins."""
        params = query(**wanted, limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(path("audit"), Page[AuditEntry], params))

    def list_all(
        self,
        *,
        tenant: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        **wanted: Unpack[AuditFilter],
    ) -> AsyncPager[AuditEntry]:
        """List what was done in all tenants and in none, the latest first; for the operator."""
        params = query(**wanted, tenant=tenant, limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(path("operator-audit"), Page[AuditEntry], params))

    async def export(
        self, *, file_format: Literal["csv", "jsonl"] = "csv", **wanted: Unpack[AuditFilter]
    ) -> AsyncGenerator[str, None]:
        """Get what was done in the tenant as a file, the latest first; for owners and admins.

        Its text comes in parts, as the API reads it: an audit may be larger than a memory.
        """
        params = query(**wanted, format=file_format)
        async for part in self._parts(path("audit", "export"), params):
            yield part

    async def export_all(
        self,
        *,
        tenant: str | None = None,
        file_format: Literal["csv", "jsonl"] = "csv",
        **wanted: Unpack[AuditFilter],
    ) -> AsyncGenerator[str, None]:
        """Get what was done in all tenants and in none as a file, in parts; for the operator."""
        params = query(**wanted, tenant=tenant, format=file_format)
        async for part in self._parts(path("operator-audit", "export"), params):
            yield part

    async def _parts(self, at: str, params: Params) -> AsyncGenerator[str, None]:
        call = get_text(at, params)
        async with self._sender.stream(call, self._sender.profile.timeout) as response:
            async for part in response.aiter_text():
                yield part
