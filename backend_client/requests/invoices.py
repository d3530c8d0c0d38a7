"""Requests about invoices."""

from __future__ import annotations

from backend_client.requests.call import Call, create, get, reader, segment, send
from backend_client.types.common import Page
from backend_client.types.invoices import (
    BillingDetails,
    BillingTerms,
    CreditNote,
    CreditNoteCreate,
    Invoice,
    InvoiceRun,
    InvoiceSummary,
    LineEvents,
    PaymentRecord,
    VoidInvoice,
)


def invoices() -> Call[Page[InvoiceSummary]]:
    return get("/v1/invoices", Page[InvoiceSummary])


def invoice(invoice_id: str) -> Call[Invoice]:
    return get(f"/v1/invoices/{segment(invoice_id)}", Invoice)


def invoice_pdf(invoice_id: str) -> Call[bytes]:
    path = f"/v1/invoices/{segment(invoice_id)}.pdf"
    return Call("GET", path, lambda response: response.content)


def invoice_csv(invoice_id: str) -> Call[str]:
    path = f"/v1/invoices/{segment(invoice_id)}.csv"
    return Call("GET", path, lambda response: response.text)


def line_events(invoice_id: str, line: int) -> Call[LineEvents]:
    return get(f"/v1/invoices/{segment(invoice_id)}/lines/{line}/events", LineEvents)


def billing_details() -> Call[BillingDetails]:
    return get("/v1/billing-details", BillingDetails)


def change_billing_details(details: BillingDetails) -> Call[BillingDetails]:
    return send("PUT", "/v1/billing-details", details, BillingDetails, repeatable=True)


# The operator's


def tenant_invoices(tenant_id: str) -> Call[Page[InvoiceSummary]]:
    return get(_of(tenant_id), Page[InvoiceSummary])


def tenant_invoice(tenant_id: str, invoice_id: str) -> Call[Invoice]:
    return get(_of(tenant_id, invoice_id), Invoice)


def finalize_invoice(tenant_id: str, invoice_id: str) -> Call[Invoice]:
    return Call("POST", f"{_of(tenant_id, invoice_id)}/finalize", reader(Invoice))


def void_invoice(tenant_id: str, invoice_id: str, wanted: VoidInvoice) -> Call[Invoice]:
    path = f"{_of(tenant_id, invoice_id)}/void"
    return send("POST", path, wanted, Invoice, repeatable=True)


def write_off_invoice(tenant_id: str, invoice_id: str) -> Call[Invoice]:
    return Call("POST", f"{_of(tenant_id, invoice_id)}/write-off", reader(Invoice))


def record_payment(tenant_id: str, invoice_id: str, paid: PaymentRecord) -> Call[Invoice]:
    path = f"{_of(tenant_id, invoice_id)}/payments"
    return send("POST", path, paid, Invoice, repeatable=True)


def create_credit_note(
    tenant_id: str, invoice_id: str, wanted: CreditNoteCreate
) -> Call[CreditNote]:
    return create(f"{_of(tenant_id, invoice_id)}/credit-notes", wanted, CreditNote)


def billing_terms(tenant_id: str) -> Call[BillingTerms]:
    return get(f"/v1/tenants/{segment(tenant_id)}/billing-terms", BillingTerms)


def change_billing_terms(tenant_id: str, terms: BillingTerms) -> Call[BillingTerms]:
    path = f"/v1/tenants/{segment(tenant_id)}/billing-terms"
    return send("PUT", path, terms, BillingTerms, repeatable=True)


def invoice_runs() -> Call[list[InvoiceRun]]:
    return get("/v1/invoice-runs", list[InvoiceRun])


def _of(tenant_id: str, invoice_id: str | None = None) -> str:
    path = f"/v1/tenants/{segment(tenant_id)}/invoices"
    return path if invoice_id is None else f"{path}/{segment(invoice_id)}"
