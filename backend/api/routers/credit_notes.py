"""Credit notes: the tenant's own as they stand and as files, and any tenant's for the operator."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from backend.accounts.clocks import tenant_now
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import PageCursor, PageLimit, Services, ServicesNow, needs
from backend.api.path_parameters import CreditNoteId, TenantId
from backend.api.tenant_scope import customer
from backend.invoices.paper.as_csv import credit_note_csv
from backend.invoices.paper.as_pdf import print_credit_note
from backend.invoices.queries import find_credit_note, find_invoice, list_credit_notes
from backend_client.types.common import Page
from backend_client.types.invoices import CreditNote, Invoice

router = APIRouter()

Reader = Annotated[Principal, Depends(needs(Permission.SPEND_READ))]
Operator = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]

_TENANTS = "/v1/tenants/{tenant_id}"
_PDF: dict[int | str, dict[str, Any]] = {200: {"content": {"application/pdf": {}}}}
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}


@router.get("/v1/credit-notes", tags=["invoices"])
async def get_credit_notes(
    services: ServicesNow, caller: Reader, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[CreditNote]:
    """List credit notes, newest first."""
    async with services.database.begin() as connection:
        return await list_credit_notes(connection, caller.tenant_id, cursor=cursor, limit=limit)


@router.get(
    "/v1/credit-notes/{credit_note_id}.pdf",
    response_class=Response,
    responses=_PDF,
    tags=["invoices"],
)
async def get_credit_note_pdf(
    services: ServicesNow, caller: Reader, credit_note_id: CreditNoteId
) -> Response:
    """Return a credit note as PDF: the same bytes each time."""
    invoice, note = await _read(services, caller.tenant_id, credit_note_id)
    documents = (invoice.model_dump_json(), note.model_dump_json())
    drawn = await services.side_process.compute(print_credit_note, documents)
    return Response(drawn, media_type="application/pdf", headers=_headers(note, "pdf"))


@router.get(
    "/v1/credit-notes/{credit_note_id}.csv",
    response_class=Response,
    responses=_CSV,
    tags=["invoices"],
)
async def get_credit_note_csv(
    services: ServicesNow, caller: Reader, credit_note_id: CreditNoteId
) -> Response:
    """Return what a credit note takes off each line as CSV, numbers in full."""
    invoice, note = await _read(services, caller.tenant_id, credit_note_id)
    return Response(
        credit_note_csv(invoice, note), media_type="text/csv", headers=_headers(note, "csv")
    )


@router.get("/v1/credit-notes/{credit_note_id}", tags=["invoices"])
async def get_credit_note(
    services: ServicesNow, caller: Reader, credit_note_id: CreditNoteId
) -> CreditNote:
    """Return a credit note."""
    async with services.database.begin() as connection:
        return await find_credit_note(connection, caller.tenant_id, credit_note_id)


@router.get(_TENANTS + "/credit-notes", tags=["operator"])
async def get_tenants_credit_notes(
    services: ServicesNow,
    caller: Operator,
    tenant_id: TenantId,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[CreditNote]:
    """List a tenant's credit notes, newest first."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return await list_credit_notes(connection, tenant.id, cursor=cursor, limit=limit)


async def _read(
    services: Services, tenant_id: str, credit_note_id: str
) -> tuple[Invoice, CreditNote]:
    async with services.database.begin() as connection:
        now = await tenant_now(connection, tenant_id)
        note = await find_credit_note(connection, tenant_id, credit_note_id)
        invoice = await find_invoice(connection, services.settings, tenant_id, note.invoice_id, now)
        return invoice, note


def _headers(note: CreditNote, kind: str) -> dict[str, str]:
    return {
        "cache-control": "private, no-cache",
        "content-disposition": f'attachment; filename="{note.number}.{kind}"',
    }
