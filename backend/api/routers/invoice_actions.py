"""The operator's actions on tenants' invoices, and the terms of invoices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit import record
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import IdempotencyKey, PageCursor, PageLimit, ServicesNow, needs
from backend.customers.profiles import profile_of, set_terms
from backend.invoices.credit_notes import credit
from backend.invoices.errors import NothingToInvoice
from backend.invoices.finalizing import finalize
from backend.invoices.queries import (
    find_credit_note,
    find_invoice,
    read_invoice,
    read_invoices,
)
from backend.invoices.runs import latest_runs
from backend.invoices.settling import record_payment, write_off
from backend.invoices.taxing.answers import TaxAnswers, with_answers
from backend.invoices.voiding import void
from backend.settings import Settings
from backend_client.types.common import Page
from backend_client.types.invoices import (
    BillingTerms,
    CreditNote,
    CreditNoteCreate,
    Invoice,
    InvoiceRun,
    InvoiceSummary,
    PaymentRecord,
    VoidInvoice,
)

router = APIRouter(tags=["operator"])

Operator = Annotated[Principal, Depends(needs(Permission.OPERATE))]

_INVOICE = "/v1/tenants/{tenant_id}/invoices/{invoice_id}"


@router.get("/v1/tenants/{tenant_id}/invoices")
async def get_tenant_invoices(
    services: ServicesNow,
    caller: Operator,
    tenant_id: str,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[InvoiceSummary]:
    """List a tenant's invoices, the draft of the next first, then newest first."""
    now = datetime.now(UTC)
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
    return await read_invoices(
        services.database,
        services.settings,
        services.tax_preview,
        tenant.id,
        now,
        cursor=cursor,
        limit=limit,
    )


@router.get(_INVOICE)
async def get_tenant_invoice(
    services: ServicesNow, caller: Operator, tenant_id: str, invoice_id: str
) -> Invoice:
    """Return a tenant's invoice."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
    return await read_invoice(
        services.database,
        services.settings,
        services.tax_preview,
        tenant.id,
        invoice_id,
        datetime.now(UTC),
    )


@router.post(_INVOICE + "/finalize")
async def post_finalize(
    services: ServicesNow, caller: Operator, tenant_id: str, invoice_id: str
) -> Invoice:
    """Finalize the draft of an ended period before its grace is over. It may be repeated.

    A draft that asks for nothing is closed without an invoice, and answers 409. While a tax service
    is away nothing is issued: 503, ``tax_not_known``.
    """
    answers = TaxAnswers(services.tax_service)

    async def once() -> tuple[str, str | None]:
        async with services.database.begin() as connection:
            tenant = await find_tenant(connection, tenant_id)
            now = datetime.now(UTC)
            finalized = await finalize(
                connection, services.settings, tenant.id, invoice_id, now, answers
            )
            await record(connection, caller, "invoice.finalize", invoice_id, tenant_id=tenant.id)
        return tenant.id, finalized

    own_id, finalized = await with_answers(answers, once)
    if finalized is None:
        raise NothingToInvoice()
    async with services.database.begin() as connection:
        return await _read(connection, services.settings, own_id, finalized)


@router.post(_INVOICE + "/void")
async def post_void(
    services: ServicesNow,
    caller: Operator,
    tenant_id: str,
    invoice_id: str,
    wanted: VoidInvoice,
) -> Invoice:
    """Declare an unpaid invoice void. Returns it, or the one issued in its place."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        now = datetime.now(UTC)
        returned_id = await void(connection, services.settings, tenant, invoice_id, wanted, now)
        detail: dict[str, object] = {"reason": wanted.reason, "issued_again": wanted.reissue}
        await record(
            connection, caller, "invoice.void", invoice_id, tenant_id=tenant.id, detail=detail
        )
        return await _read(connection, services.settings, tenant.id, returned_id)


@router.post(_INVOICE + "/write-off")
async def post_write_off(
    services: ServicesNow, caller: Operator, tenant_id: str, invoice_id: str
) -> Invoice:
    """Mark an invoice as uncollectible: nobody expects it to be paid, and no reminder follows."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        await write_off(connection, tenant.id, invoice_id)
        await record(connection, caller, "invoice.write-off", invoice_id, tenant_id=tenant.id)
        return await _read(connection, services.settings, tenant.id, invoice_id)


@router.post(_INVOICE + "/payments", status_code=201)
async def post_payment(
    services: ServicesNow,
    caller: Operator,
    tenant_id: str,
    invoice_id: str,
    paid: PaymentRecord,
) -> Invoice:
    """Record a received payment. The same method and reference again is the same payment."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        await record_payment(connection, tenant.id, invoice_id, paid, datetime.now(UTC))
        detail: dict[str, object] = paid.model_dump(mode="json", exclude_none=True)
        await record(
            connection, caller, "invoice.payment", invoice_id, tenant_id=tenant.id, detail=detail
        )
        return await _read(connection, services.settings, tenant.id, invoice_id)


@router.post(_INVOICE + "/credit-notes", status_code=201)
async def post_credit_note(
    services: ServicesNow,
    caller: Operator,
    tenant_id: str,
    invoice_id: str,
    wanted: CreditNoteCreate,
    idempotency_key: IdempotencyKey = None,
) -> CreditNote:
    """Credit lines of an invoice, or the rest of it. What was paid is added to the balance."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        note_id = await credit(
            connection,
            services.settings,
            tenant,
            invoice_id,
            wanted,
            datetime.now(UTC),
            idempotency_key=idempotency_key,
        )
        detail: dict[str, object] = {"credit_note": note_id, "reason": wanted.reason}
        await record(
            connection, caller, "invoice.credit", invoice_id, tenant_id=tenant.id, detail=detail
        )
        return await find_credit_note(connection, tenant.id, note_id)


@router.get("/v1/tenants/{tenant_id}/billing-terms")
async def get_billing_terms(
    services: ServicesNow, caller: Operator, tenant_id: str
) -> BillingTerms:
    """Return the terms agreed with a tenant."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return (await profile_of(connection, tenant.id)).terms


@router.put("/v1/tenants/{tenant_id}/billing-terms")
async def put_billing_terms(
    services: ServicesNow, caller: Operator, tenant_id: str, terms: BillingTerms
) -> BillingTerms:
    """Change the terms agreed with a tenant, for future invoices."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        detail: dict[str, object] = terms.model_dump(mode="json")
        await record(
            connection,
            caller,
            "billing-terms.change",
            tenant.id,
            tenant_id=tenant.id,
            detail=detail,
        )
        return await set_terms(connection, tenant.id, terms)


@router.get("/v1/invoice-runs")
async def get_invoice_runs(services: ServicesNow, caller: Operator) -> list[InvoiceRun]:
    """List the last twenty invoice runs, newest first, with their progress."""
    async with services.database.begin() as connection:
        return await latest_runs(connection, services.settings)


async def _read(
    connection: AsyncConnection, settings: Settings, tenant_id: str, invoice_id: str
) -> Invoice:
    return await find_invoice(connection, settings, tenant_id, invoice_id, datetime.now(UTC))
