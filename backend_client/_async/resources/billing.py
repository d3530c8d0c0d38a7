"""Who is billed, and on what terms."""

from __future__ import annotations

from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import get, path, send
from backend_client.types.invoices import BillingDetails, BillingTerms


class AsyncBillingDetailsResource(AsyncResource):
    """How the tenant is named on its invoices."""

    async def get(self) -> BillingDetails:
        """Get how the tenant is named on its invoices."""
        return await self._sender.send(get(path("billing-details"), BillingDetails))

    async def update(self, details: BillingDetails) -> BillingDetails:
        """Change how the tenant is named on the invoices to come."""
        at = path("billing-details")
        return await self._sender.send(send("PUT", at, details, BillingDetails, repeatable=True))


class AsyncBillingTermsResource(AsyncResource):
    """What was agreed with a tenant about its invoices; for the operator."""

    async def get(self, *, tenant: str) -> BillingTerms:
        """Get what was agreed."""
        return await self._sender.send(get(path("billing-terms", tenant=tenant), BillingTerms))

    async def update(self, terms: BillingTerms, *, tenant: str) -> BillingTerms:
        """Change what was agreed."""
        at = path("billing-terms", tenant=tenant)
        return await self._sender.send(send("PUT", at, terms, BillingTerms, repeatable=True))
