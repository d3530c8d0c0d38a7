"""Who is billed, and on what terms."""

from __future__ import annotations

from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import get, path, post, send
from backend_client.types.invoices import BillingDetails, BillingTerms
from backend_client.types.taxes import TaxIdCheck


class AsyncBillingDetailsResource(AsyncResource):
    """How a tenant is named on its invoices. ``tenant`` is another's; for the operator."""

    async def get(self, *, tenant: str | None = None) -> BillingDetails:
        """Get how the tenant is named on its invoices."""
        return await self._sender.send(get(path("billing-details", tenant=tenant), BillingDetails))

    async def update(self, details: BillingDetails, *, tenant: str | None = None) -> BillingDetails:
        """Change how the tenant is named on the invoices to come."""
        at = path("billing-details", tenant=tenant)
        return await self._sender.send(send("PUT", at, details, BillingDetails, repeatable=True))

    async def tax_id_check(self, *, tenant: str | None = None) -> TaxIdCheck:
        """Get what VIES says of the tenant's VAT id."""
        at = path("billing-details", "tax-id-check", tenant=tenant)
        return await self._sender.send(get(at, TaxIdCheck))

    async def look_up_tax_id(self, *, tenant: str) -> TaxIdCheck:
        """Ask VIES about a tenant's VAT id now; for the operator."""
        at = path("billing-details", "tax-id-check", tenant=tenant)
        return await self._sender.send(post(at, TaxIdCheck, repeatable=True))


class AsyncBillingTermsResource(AsyncResource):
    """What was agreed with a tenant about its invoices; for the operator."""

    async def get(self, *, tenant: str) -> BillingTerms:
        """Get what was agreed."""
        return await self._sender.send(get(path("billing-terms", tenant=tenant), BillingTerms))

    async def update(self, terms: BillingTerms, *, tenant: str) -> BillingTerms:
        """Change what was agreed."""
        at = path("billing-terms", tenant=tenant)
        return await self._sender.send(send("PUT", at, terms, BillingTerms, repeatable=True))
