"""The clients' methods for invoices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from backend_client.requests import invoices as requests
from backend_client.sending import AsyncSender, Sender
from backend_client.types.invoices import (
    BillingDetails,
    BillingTerms,
    CreditNote,
    CreditNoteCreate,
    Invoice,
    InvoiceRun,
    InvoiceSummary,
    LineEvent,
    LineEvents,
    PaymentRecord,
    VoidInvoice,
)


class InvoiceMethods(Sender):
    """Those of the synchronous client."""

    def invoices(self) -> list[InvoiceSummary]:
        """All invoices, newest first; the draft of the next one goes before."""
        return self._all(requests.invoices())

    def invoice(self, invoice_id: str) -> Invoice:
        """One invoice with its lines, payments and credit notes."""
        return self._do(requests.invoice(invoice_id))

    def invoice_pdf(self, invoice_id: str) -> bytes:
        """An invoice as PDF, as it was issued."""
        return self._do(requests.invoice_pdf(invoice_id))

    def invoice_csv(self, invoice_id: str) -> str:
        """An invoice's lines as CSV."""
        return self._do(requests.invoice_csv(invoice_id))

    def line_events(self, invoice_id: str, line: int) -> Iterator[LineEvent]:
        """The events behind a line, by time; fetched as they are iterated over."""
        return self._items(requests.line_events(invoice_id, line))

    def line_event_page(self, invoice_id: str, line: int, cursor: str | None = None) -> LineEvents:
        """One page of them, and of which days others are archived; first without a ``cursor``."""
        return self._do(requests.line_events(invoice_id, line).page(cursor))

    def billing_details(self) -> BillingDetails:
        """How the tenant is named on its invoices."""
        return self._do(requests.billing_details())

    def change_billing_details(self, details: BillingDetails) -> BillingDetails:
        """Change how the tenant is named on the invoices to come."""
        return self._do(requests.change_billing_details(details))

    def tenant_invoices(self, tenant_id: str) -> list[InvoiceSummary]:
        """All invoices of a tenant, newest first; for the operator."""
        return self._all(requests.tenant_invoices(tenant_id))

    def tenant_invoice(self, tenant_id: str, invoice_id: str) -> Invoice:
        """One of a tenant's invoices; for the operator."""
        return self._do(requests.tenant_invoice(tenant_id, invoice_id))

    def finalize_invoice(self, tenant_id: str, invoice_id: str) -> Invoice:
        """Finalize a draft before its grace is over; for the operator."""
        return self._do(requests.finalize_invoice(tenant_id, invoice_id))

    def void_invoice(self, tenant_id: str, invoice_id: str, wanted: VoidInvoice) -> Invoice:
        """Declare an unpaid invoice void, and issue it again if wanted; for the operator."""
        return self._do(requests.void_invoice(tenant_id, invoice_id, wanted))

    def write_off_invoice(self, tenant_id: str, invoice_id: str) -> Invoice:
        """Mark an invoice as uncollectible; for the operator."""
        return self._do(requests.write_off_invoice(tenant_id, invoice_id))

    def record_payment(self, tenant_id: str, invoice_id: str, paid: PaymentRecord) -> Invoice:
        """Record money that came in, once a method and reference; for the operator."""
        return self._do(requests.record_payment(tenant_id, invoice_id, paid))

    def create_credit_note(
        self, tenant_id: str, invoice_id: str, wanted: CreditNoteCreate
    ) -> CreditNote:
        """Credit an invoice or lines of it; for the operator."""
        return self._do(requests.create_credit_note(tenant_id, invoice_id, wanted))

    def billing_terms(self, tenant_id: str) -> BillingTerms:
        """What was agreed with a tenant; for the operator."""
        return self._do(requests.billing_terms(tenant_id))

    def change_billing_terms(self, tenant_id: str, terms: BillingTerms) -> BillingTerms:
        """Change what was agreed with a tenant; for the operator."""
        return self._do(requests.change_billing_terms(tenant_id, terms))

    def invoice_runs(self) -> list[InvoiceRun]:
        """The last invoice runs, and how far each is; for the operator."""
        return self._do(requests.invoice_runs())


class AsyncInvoiceMethods(AsyncSender):
    """Those of the asynchronous client."""

    async def invoices(self) -> list[InvoiceSummary]:
        """All invoices, newest first; the draft of the next one goes before."""
        return await self._all(requests.invoices())

    async def invoice(self, invoice_id: str) -> Invoice:
        """One invoice with its lines, payments and credit notes."""
        return await self._do(requests.invoice(invoice_id))

    async def invoice_pdf(self, invoice_id: str) -> bytes:
        """An invoice as PDF, as it was issued."""
        return await self._do(requests.invoice_pdf(invoice_id))

    async def invoice_csv(self, invoice_id: str) -> str:
        """An invoice's lines as CSV."""
        return await self._do(requests.invoice_csv(invoice_id))

    def line_events(self, invoice_id: str, line: int) -> AsyncIterator[LineEvent]:
        """The events behind a line, by time; fetched as they are iterated over."""
        return self._items(requests.line_events(invoice_id, line))

    async def line_event_page(
        self, invoice_id: str, line: int, cursor: str | None = None
    ) -> LineEvents:
        """One page of them, and of which days others are archived; first without a ``cursor``."""
        return await self._do(requests.line_events(invoice_id, line).page(cursor))

    async def billing_details(self) -> BillingDetails:
        """How the tenant is named on its invoices."""
        return await self._do(requests.billing_details())

    async def change_billing_details(self, details: BillingDetails) -> BillingDetails:
        """Change how the tenant is named on the invoices to come."""
        return await self._do(requests.change_billing_details(details))

    async def tenant_invoices(self, tenant_id: str) -> list[InvoiceSummary]:
        """All invoices of a tenant, newest first; for the operator."""
        return await self._all(requests.tenant_invoices(tenant_id))

    async def tenant_invoice(self, tenant_id: str, invoice_id: str) -> Invoice:
        """One of a tenant's invoices; for the operator."""
        return await self._do(requests.tenant_invoice(tenant_id, invoice_id))

    async def finalize_invoice(self, tenant_id: str, invoice_id: str) -> Invoice:
        """Finalize a draft before its grace is over; for the operator."""
        return await self._do(requests.finalize_invoice(tenant_id, invoice_id))

    async def void_invoice(self, tenant_id: str, invoice_id: str, wanted: VoidInvoice) -> Invoice:
        """Declare an unpaid invoice void, and issue it again if wanted; for the operator."""
        return await self._do(requests.void_invoice(tenant_id, invoice_id, wanted))

    async def write_off_invoice(self, tenant_id: str, invoice_id: str) -> Invoice:
        """Mark an invoice as uncollectible; for the operator."""
        return await self._do(requests.write_off_invoice(tenant_id, invoice_id))

    async def record_payment(self, tenant_id: str, invoice_id: str, paid: PaymentRecord) -> Invoice:
        """Record money that came in, once a method and reference; for the operator."""
        return await self._do(requests.record_payment(tenant_id, invoice_id, paid))

    async def create_credit_note(
        self, tenant_id: str, invoice_id: str, wanted: CreditNoteCreate
    ) -> CreditNote:
        """Credit an invoice or lines of it; for the operator."""
        return await self._do(requests.create_credit_note(tenant_id, invoice_id, wanted))

    async def billing_terms(self, tenant_id: str) -> BillingTerms:
        """What was agreed with a tenant; for the operator."""
        return await self._do(requests.billing_terms(tenant_id))

    async def change_billing_terms(self, tenant_id: str, terms: BillingTerms) -> BillingTerms:
        """Change what was agreed with a tenant; for the operator."""
        return await self._do(requests.change_billing_terms(tenant_id, terms))

    async def invoice_runs(self) -> list[InvoiceRun]:
        """The last invoice runs, and how far each is; for the operator."""
        return await self._do(requests.invoice_runs())
