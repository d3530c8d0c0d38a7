"""Invoices and credit notes as e-invoices: the tenant's own, and any for the operator."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from backend.accounts.clocks import tenant_now
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import Services, ServicesNow, needs
from backend.api.path_parameters import CreditNoteId, InvoiceId, TenantId
from backend.api.tenant_scope import customer
from backend.customers.profiles import party_legal, profile_of
from backend.invoices.electronic.building import credit_note_document, invoice_document
from backend.invoices.electronic.hybrid import print_hybrid
from backend.invoices.electronic.writing import e_invoice_xml
from backend.invoices.errors import CreditNoteNotFound, EInvoiceNotExpressible
from backend.invoices.queries import as_printed, find_invoice
from backend_client.types.invoices import EInvoiceFormat, Invoice, PartyLegal

router = APIRouter()

Reader = Annotated[Principal, Depends(needs(Permission.SPEND_READ))]
Operator = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Form = Annotated[
    EInvoiceFormat,
    Query(
        alias="format",
        description="The standard that the e-invoice is written by. `factur-x` is a PDF that has "
        "the XML inside, the others are XML.",
    ),
]

_PEPPOL = EInvoiceFormat.PEPPOL
_OWN = "/v1/invoices/{invoice_id}"
_TENANTS = "/v1/tenants/{tenant_id}/invoices/{invoice_id}"
_NOTE = "/credit-notes/{credit_note_id}/e-invoice"
_FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/xml": {}, "application/pdf": {}}}
}


@router.get(_OWN + "/e-invoice", response_class=Response, responses=_FILES, tags=["invoices"])
async def get_e_invoice(
    services: ServicesNow, caller: Reader, invoice_id: InvoiceId, form: Form = _PEPPOL
) -> Response:
    """Return an issued invoice as an e-invoice: the same bytes each time.

    If the form needs more of seller or buyer, the answer names each field that is missing.
    """
    return await _of_invoice(services, caller.tenant_id, invoice_id, form)


@router.get(_OWN + _NOTE, response_class=Response, responses=_FILES, tags=["invoices"])
async def get_credit_note_e_invoice(
    services: ServicesNow,
    caller: Reader,
    invoice_id: InvoiceId,
    credit_note_id: CreditNoteId,
    form: Form = _PEPPOL,
) -> Response:
    """Return a credit note as an e-invoice; as XML only, since it has no PDF."""
    return await _of_note(services, caller.tenant_id, invoice_id, credit_note_id, form)


@router.get(_TENANTS + "/e-invoice", response_class=Response, responses=_FILES, tags=["operator"])
async def get_tenants_e_invoice(
    services: ServicesNow,
    caller: Operator,
    tenant_id: TenantId,
    invoice_id: InvoiceId,
    form: Form = _PEPPOL,
) -> Response:
    """Return a tenant's invoice as an e-invoice, to send it by a network."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
    return await _of_invoice(services, tenant.id, invoice_id, form)


@router.get(_TENANTS + _NOTE, response_class=Response, responses=_FILES, tags=["operator"])
async def get_tenants_credit_note_e_invoice(
    services: ServicesNow,
    caller: Operator,
    tenant_id: TenantId,
    invoice_id: InvoiceId,
    credit_note_id: CreditNoteId,
    form: Form = _PEPPOL,
) -> Response:
    """Return a tenant's credit note as an e-invoice, to send it by a network."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
    return await _of_note(services, tenant.id, invoice_id, credit_note_id, form)


async def _of_invoice(
    services: Services, tenant_id: str, invoice_id: str, form: EInvoiceFormat
) -> Response:
    whole, legal = await _read(services, tenant_id, invoice_id)
    invoice = as_printed(whole)
    xml = e_invoice_xml(invoice_document(invoice, legal), form)
    name = f"{invoice.number}-{form.value}"
    if form is not EInvoiceFormat.FACTUR_X:
        return _file(xml, name, "xml")
    given = (invoice.model_dump_json(), xml)
    return _file(await services.side_process.compute(print_hybrid, given), name, "pdf")


async def _of_note(
    services: Services, tenant_id: str, invoice_id: str, note_id: str, form: EInvoiceFormat
) -> Response:
    if form is EInvoiceFormat.FACTUR_X:
        raise EInvoiceNotExpressible("A credit note has no PDF: ask for 'cii', the XML alone.")
    invoice, legal = await _read(services, tenant_id, invoice_id)
    for note in invoice.credit_notes:
        if note.id == note_id:
            xml = e_invoice_xml(credit_note_document(invoice, note, legal), form)
            return _file(xml, f"{note.number}-{form.value}", "xml")
    raise CreditNoteNotFound()


async def _read(
    services: Services, tenant_id: str, invoice_id: str
) -> tuple[Invoice, PartyLegal | None]:
    """Return an invoice, and what its customer has on record now."""
    async with services.database.begin() as connection:
        now = await tenant_now(connection, tenant_id)
        invoice = await find_invoice(connection, services.settings, tenant_id, invoice_id, now)
        profile = await profile_of(connection, tenant_id)
        return invoice, party_legal(profile.details.legal)


def _file(content: bytes, name: str, kind: str) -> Response:
    headers = {
        "cache-control": "private, no-cache",
        "content-disposition": f'attachment; filename="{name}.{kind}"',
    }
    return Response(content, media_type=f"application/{kind}", headers=headers)
