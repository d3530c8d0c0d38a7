"""The clients' methods for the catalog, plans, subscriptions and spend."""

from __future__ import annotations

from decimal import Decimal

from backend_client.requests import billing as requests
from backend_client.sending import AsyncSender, Sender
from backend_client.types.entitlements import Entitlements
from backend_client.types.models import ModelInfo
from backend_client.types.plans import Catalog, CatalogApplied, Plan
from backend_client.types.spend import BudgetOutlook, Forecast, SpendReport
from backend_client.types.subscriptions import Subscription, SubscriptionChange
from backend_client.types.taxes import CatalogTax


class BillingMethods(Sender):
    """Those of the synchronous client."""

    def models(self) -> list[ModelInfo]:
        """The models on sale, with their prices on the caller's plan."""
        return self._all(requests.models())

    def plans(self) -> list[Plan]:
        """The plans on sale."""
        return self._all(requests.plans())

    def tax_rates(self) -> list[CatalogTax]:
        """The rates of tax that are published; for the operator."""
        return self._do(requests.tax_rates())

    def catalog(self) -> Catalog:
        """The catalog that is on sale, whole; for the operator."""
        return self._do(requests.catalog())

    def apply_catalog(self, catalog: Catalog) -> CatalogApplied:
        """Publish what a catalog changes; for the operator."""
        return self._do(requests.apply_catalog(catalog))

    def entitlements(self, tenant: str | None = None) -> Entitlements:
        """What the tenant may do, and what is used of its quotas; the operator names one."""
        return self._do(requests.entitlements(tenant))

    def subscription(self) -> Subscription:
        """The plan in force."""
        return self._do(requests.subscription())

    def change_plan(self, change: SubscriptionChange) -> Subscription:
        """Move to another plan."""
        return self._do(requests.change_plan(change))

    def spend(self) -> SpendReport:
        """What the billing period has cost so far, by line."""
        return self._do(requests.spend())

    def forecast(self) -> Forecast | None:
        """Where spend is heading; None while it is being computed: ask again."""
        return self._do(requests.forecast())

    def budget_outlook(self, amount: Decimal) -> BudgetOutlook | None:
        """Whether spend passes ``amount``; None while the forecast is being computed."""
        return self._do(requests.budget_outlook(amount))


class AsyncBillingMethods(AsyncSender):
    """Those of the asynchronous client."""

    async def models(self) -> list[ModelInfo]:
        """The models on sale, with their prices on the caller's plan."""
        return await self._all(requests.models())

    async def plans(self) -> list[Plan]:
        """The plans on sale."""
        return await self._all(requests.plans())

    async def tax_rates(self) -> list[CatalogTax]:
        """The rates of tax that are published; for the operator."""
        return await self._do(requests.tax_rates())

    async def catalog(self) -> Catalog:
        """The catalog that is on sale, whole; for the operator."""
        return await self._do(requests.catalog())

    async def apply_catalog(self, catalog: Catalog) -> CatalogApplied:
        """Publish what a catalog changes; for the operator."""
        return await self._do(requests.apply_catalog(catalog))

    async def entitlements(self, tenant: str | None = None) -> Entitlements:
        """What the tenant may do, and what is used of its quotas; the operator names one."""
        return await self._do(requests.entitlements(tenant))

    async def subscription(self) -> Subscription:
        """The plan in force."""
        return await self._do(requests.subscription())

    async def change_plan(self, change: SubscriptionChange) -> Subscription:
        """Move to another plan."""
        return await self._do(requests.change_plan(change))

    async def spend(self) -> SpendReport:
        """What the billing period has cost so far, by line."""
        return await self._do(requests.spend())

    async def forecast(self) -> Forecast | None:
        """Where spend is heading; None while it is being computed: ask again."""
        return await self._do(requests.forecast())

    async def budget_outlook(self, amount: Decimal) -> BudgetOutlook | None:
        """Whether spend passes ``amount``; None while the forecast is being computed."""
        return await self._do(requests.budget_outlook(amount))
