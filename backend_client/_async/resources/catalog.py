"""What is on sale: models, plans, coupons, and the rates of tax."""

from __future__ import annotations

from dataclasses import replace

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import get, path, send, whole_list
from backend_client.queries import query
from backend_client.types.catalog import Catalog, CatalogApplied
from backend_client.types.common import Page
from backend_client.types.contracts import Coupon
from backend_client.types.models import ModelInfo, ModelPerformance
from backend_client.types.plan_versions import MigratedTenant, MigrationRequest, PlanDiff
from backend_client.types.plans import Plan
from backend_client.types.taxes import CatalogTax


class AsyncCatalogResource(AsyncResource):
    """The catalog, whole; for the operator."""

    async def get(self) -> Catalog:
        """Get the catalog that is on sale."""
        return await self._sender.send(get(path("catalog"), Catalog))

    async def apply(self, catalog: Catalog) -> CatalogApplied:
        """Publish what a catalog changes."""
        call = send("PUT", path("catalog"), catalog, CatalogApplied, repeatable=True)
        return await self._sender.send(call)


class AsyncModelsResource(AsyncResource):
    """The models on sale."""

    def list(self) -> AsyncPager[ModelInfo]:
        """List the models on sale, with their prices on the caller's plan."""
        return AsyncPager(self._sender, get(path("catalog", "models"), Page[ModelInfo]))

    def performance(self, *, hours: int | None = None) -> AsyncPager[ModelPerformance]:
        """List how fast and how reliably models answer, over the last day or so many ``hours``."""
        at = path("catalog", "models", "performance")
        return AsyncPager(self._sender, get(at, Page[ModelPerformance], query(hours=hours)))


class AsyncTaxRatesResource(AsyncResource):
    """The rates of tax that are published; for the operator."""

    def list(self) -> AsyncPager[CatalogTax]:
        """List the rates of tax."""
        return AsyncPager(self._sender, whole_list(path("catalog", "taxes"), CatalogTax))


class AsyncPlansResource(AsyncResource):
    """Plans and their versions."""

    def list(self) -> AsyncPager[Plan]:
        """List the plans on sale."""
        return AsyncPager(self._sender, get(path("plans"), Page[Plan]))

    def versions(self, plan_id: str) -> AsyncPager[Plan]:
        """List all versions of a plan; for the operator."""
        return AsyncPager(self._sender, get(path("plans", plan_id, "versions"), Page[Plan]))

    async def diff(self, plan_id: str, *, before: int, after: int) -> PlanDiff:
        """Compare two versions of a plan; for the operator."""
        at = path("plans", plan_id, "diff")
        return await self._sender.send(get(at, PlanDiff, query(before=before, after=after)))

    async def migrate(
        self,
        plan_id: str,
        migration: MigrationRequest,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[MigratedTenant]:
        """Move a page of tenants to the latest version, or preview it; for the operator.

        Go on with ``next_cursor`` of what is returned as ``cursor``, until it is None.
        """
        at = path("plans", plan_id, "migrations")
        call = send("POST", at, migration, Page[MigratedTenant], repeatable=True)
        return await self._sender.send(replace(call, params=query(limit=limit, cursor=cursor)))


class AsyncCouponsResource(AsyncResource):
    """Coupons; for the operator. A tenant redeems one by ``subscription.coupons``."""

    def list(self) -> AsyncPager[Coupon]:
        """List the coupons."""
        return AsyncPager(self._sender, get(path("coupons"), Page[Coupon]))

    async def create(self, coupon: Coupon) -> Coupon:
        """Create a coupon, which never changes."""
        call = send("PUT", path("coupons", coupon.id), coupon, Coupon, repeatable=True)
        return await self._sender.send(call)
