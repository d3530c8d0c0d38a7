"""The tenant's invoices: as they stand, as files, and the events behind each line."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from backend.accounts.audit.writing import record
from backend.accounts.clocks import now_of, tenant_now
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import PageCursor, PageLimit, Services, ServicesNow, needs
from backend.api.parameters import KnownETag
from backend.api.path_parameters import InvoiceId, LineNumber
from backend.customers.profiles import profile_of, set_details
from backend.customers.tax_ids import tax_id_check
from backend.invoices.drafts.line_events import line_events
from backend.invoices.paper.as_csv import invoice_csv
from backend.invoices.paper.as_pdf import print_invoice
from backend.invoices.payments.applying import account_balance
from backend.invoices.queries import (
    as_printed,
    find_invoice,
    invoice_version,
    read_invoice,
    read_invoices,
)
from backend_client.types.balance import AccountBalance
from backend_client.types.common import Page
from backend_client.types.invoices import BillingDetails, Invoice, InvoiceSummary, LineEvents
from backend_client.types.taxes import TaxIdCheck

router = APIRouter(tags=["invoices"])

Reader = Annotated[Principal, Depends(needs(Permission.SPEND_READ))]
Changer = Annotated[Principal, Depends(needs(Permission.SUBSCRIPTION_WRITE))]

_UNCHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Nothing changed since the ETag in If-None-Match"}
}


@router.get("/v1/invoices")
async def get_invoices(
    services: ServicesNow, caller: Reader, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[InvoiceSummary]:
    """List invoices: the draft of the next one, rated live, then newest first."""
    async with services.database.begin() as connection:
        now = await tenant_now(connection, caller.tenant_id)
    return await read_invoices(
        services.database,
        services.settings,
        services.tax_preview,
        caller.tenant_id,
        now,
        cursor=cursor,
        limit=limit,
    )


@router.get("/v1/balance")
async def get_balance(services: ServicesNow, caller: Reader) -> AccountBalance:
    """Return the customer's balance, and what its open invoices still ask for."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, caller.tenant_id)
        return await account_balance(connection, tenant, now_of(tenant))


@router.get(
    "/v1/invoices/{invoice_id}.pdf",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}}, **_UNCHANGED},
)
async def get_invoice_pdf(
    services: ServicesNow, caller: Reader, invoice_id: InvoiceId, if_none_match: KnownETag = None
) -> Response:
    """Return an invoice as PDF, as it was issued: the same bytes each time."""
    invoice = as_printed(await _find(services, caller, invoice_id))
    headers = _file_headers(invoice, "pdf")
    if if_none_match == headers["etag"]:
        return Response(status_code=304, headers=headers)
    drawn = await services.side_process.compute(print_invoice, invoice.model_dump_json())
    return Response(drawn, media_type="application/pdf", headers=headers)


@router.get(
    "/v1/invoices/{invoice_id}.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}, **_UNCHANGED},
)
async def get_invoice_csv(
    services: ServicesNow, caller: Reader, invoice_id: InvoiceId, if_none_match: KnownETag = None
) -> Response:
    """Return an invoice's lines as CSV, numbers in full."""
    invoice = as_printed(await _find(services, caller, invoice_id))
    headers = _file_headers(invoice, "csv")
    if if_none_match == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(invoice_csv(invoice), media_type="text/csv", headers=headers)


@router.get("/v1/invoices/{invoice_id}", response_model=Invoice, responses=_UNCHANGED)
async def get_invoice(
    services: ServicesNow,
    caller: Reader,
    invoice_id: InvoiceId,
    response: Response,
    if_none_match: KnownETag = None,
) -> Invoice | Response:
    """Return an invoice with its lines, payments and credit notes."""
    invoice = await _find(services, caller, invoice_id)
    headers = {"etag": f'"{invoice_version(invoice)}"', "cache-control": "private, no-cache"}
    if if_none_match == headers["etag"]:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return invoice


@router.get("/v1/invoices/{invoice_id}/lines/{line}/events")
async def get_line_events(
    services: ServicesNow,
    caller: Reader,
    invoice_id: InvoiceId,
    line: LineNumber,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> LineEvents:
    """List the events that a line's charge priced, in the order of their time.

    Fees and adjustments have none. A line of late usage lists all events of its period, since it
    asks for the difference that all of them make. Events in archives are not listed; the answer has
    their days.
    """
    async with services.database.begin() as connection:
        now = await tenant_now(connection, caller.tenant_id)
        invoice = await find_invoice(
            connection, services.settings, caller.tenant_id, invoice_id, now
        )
        return await line_events(
            connection, caller.tenant_id, invoice, line, cursor=cursor, limit=limit
        )


@router.get("/v1/billing-details")
async def get_billing_details(services: ServicesNow, caller: Reader) -> BillingDetails:
    """Return the tenant's name and address on invoices, and where it is taxed."""
    async with services.database.begin() as connection:
        return (await profile_of(connection, caller.tenant_id)).details


@router.get("/v1/billing-details/tax-id-check")
async def get_tax_id_check(services: ServicesNow, caller: Reader) -> TaxIdCheck:
    """Return what VIES says of the tenant's VAT id, where the seller has it looked up."""
    async with services.database.begin() as connection:
        return await tax_id_check(connection, caller.tenant_id)


@router.put("/v1/billing-details")
async def put_billing_details(
    services: ServicesNow, caller: Changer, details: BillingDetails
) -> BillingDetails:
    """Change the tenant's details on future invoices; issued ones keep theirs."""
    async with services.database.begin() as connection:
        detail = details.model_dump(
            mode="json", include={"country", "region", "business", "tax_id"}
        )
        await record(connection, caller, "billing-details.change", caller.tenant_id, detail=detail)
        return await set_details(connection, caller.tenant_id, details)


async def _find(services: Services, caller: Principal, invoice_id: str) -> Invoice:
    async with services.database.begin() as connection:
        now = await tenant_now(connection, caller.tenant_id)
    return await read_invoice(
        services.database,
        services.settings,
        services.tax_preview,
        caller.tenant_id,
        invoice_id,
        now,
    )


def _file_headers(invoice: Invoice, kind: str) -> dict[str, str]:
    name = invoice.number or f"draft-{invoice.period.start:%Y-%m}"
    return {
        "etag": f'"{invoice_version(invoice)}-{kind}"',
        "cache-control": "private, no-cache",
        "content-disposition": f'attachment; filename="{name}.{kind}"',
    }
