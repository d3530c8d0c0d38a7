"""Invoices that Amberflo writes for a customer's usage, read back."""

from __future__ import annotations

from typing import Final

from backend.platforms.adapter import PeriodInvoiced, Refused
from backend.platforms.amberflo.calls import AmberfloCalls
from backend.platforms.amberflo.mapping import PRODUCT
from backend.platforms.amberflo.rated import invoice_query, rated_invoice, remote_invoice
from backend.platforms.documents import RemoteInvoice

_INVOICES: Final = "/payments/billing/customer-product-invoice"


async def invoices_of(calls: AmberfloCalls, customer: str) -> list[PeriodInvoiced]:
    """Return a customer's invoices as they stand, computed with all corrections."""
    query = {
        "customerId": customer,
        "productId": PRODUCT,
        "fromCache": "true",
        "withPaymentStatus": "true",
    }
    invoices = await calls.get(f"{_INVOICES}/all", query)
    return [PeriodInvoiced(customer, rated_invoice(invoice)) for invoice in invoices or ()]


async def invoice_that_is_ready(calls: AmberfloCalls, remote_id: str) -> list[PeriodInvoiced]:
    """Return the invoice that a webhook names; nothing if there is none."""
    query = invoice_query(remote_id)
    document = await calls.get(_INVOICES, query) if "customerId" in query else None
    return [PeriodInvoiced(query["customerId"], rated_invoice(document))] if document else []


async def read_invoice(calls: AmberfloCalls, remote_id: str) -> RemoteInvoice:
    """Return an invoice by its address there; raise ``Refused`` if there is none."""
    document = await calls.get(_INVOICES, invoice_query(remote_id))
    if not document:
        raise Refused(f"Amberflo has no invoice {remote_id}.")
    return remote_invoice(document)
