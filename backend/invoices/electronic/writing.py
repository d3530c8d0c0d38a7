"""A document in a form: checked for what the form needs, then written. Pure."""

from __future__ import annotations

from backend.invoices.electronic.cii import cii
from backend.invoices.electronic.requirements import check_requirements
from backend.invoices.electronic.semantic import Document
from backend.invoices.electronic.ubl import ubl
from backend_client.types.invoices import EInvoiceFormat


def e_invoice_xml(document: Document, form: EInvoiceFormat) -> bytes:
    """Return the document's XML in a form; that of Factur-X is what goes into the PDF.

    Raises ``InvalidInput`` that names every field which the form needs and does not have.
    """
    check_requirements(document, form)
    if form in (EInvoiceFormat.PEPPOL, EInvoiceFormat.XRECHNUNG):
        return ubl(document, form)
    return cii(document)
