"""Customers of the API's seller."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import delete, get, path, send
from backend_client.queries import query
from backend_client.types.accounts import Tenant, TenantChange, TenantCreate, TenantCreated
from backend_client.types.common import Page
from backend_client.types.test_clocks import TestClock, TestClockAdvance


class AsyncTenantsResource(AsyncResource):
    """Tenants; for the operator."""

    def list(
        self,
        *,
        search: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPager[Tenant]:
        """List the tenants; those with ``search`` in their name or slug, or as their id."""
        params = query(search=search, limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(path("tenants"), Page[Tenant], params))

    async def get(self, tenant_id: str) -> Tenant:
        """Get a tenant by its id or slug."""
        return await self._sender.send(get(path("tenants", tenant_id), Tenant))

    async def create(self, tenant: TenantCreate) -> TenantCreated:
        """Create a tenant; the invitation of its first owner is in this answer alone."""
        call = send("POST", path("tenants"), tenant, TenantCreated, repeatable=False)
        return await self._sender.send(call)

    async def update(self, tenant_id: str, changes: TenantChange) -> Tenant:
        """Change what is given of a tenant: its name, whether its own keys may send events."""
        call = send("PATCH", path("tenants", tenant_id), changes, Tenant, repeatable=True)
        return await self._sender.send(call)

    async def delete(self, tenant_id: str) -> None:
        """Remove a tenant with all that it has."""
        await self._sender.send(delete(path("tenants", tenant_id), repeatable=False))

    async def test_clock(self, tenant_id: str) -> TestClock:
        """Get where a tenant's test clock stands; a tenant in real time has none."""
        return await self._sender.send(get(path("tenants", tenant_id, "test-clock"), TestClock))

    async def advance_test_clock(self, tenant_id: str, wanted: TestClockAdvance) -> TestClock:
        """Ask for a tenant's clock to go on. Get it again until it is ``ready``, or ``failed``."""
        where = path("tenants", tenant_id, "test-clock", "advance")
        return await self._sender.send(send("POST", where, wanted, TestClock, repeatable=True))
