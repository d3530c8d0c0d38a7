"""The operator's actions on tenants' invoices, and the terms of invoices."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.clocks import now_of, tenant_now
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import IdempotencyKey, PageCursor, PageLimit, ServicesNow, needs
from backend.api.path_parameters import CreditNoteId, InvoiceId, TenantId
from backend.customers.profiles import profile_of, set_terms
from backend.ids import new_id
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.reversals import reverse_credit_note
from backend.invoices.corrections.voiding import void
from backend.invoices.errors import NothingToInvoice
from backend.invoices.issuing.one_off import issue_one_off
from backend.invoices.queries import (
    find_credit_note,
    find_invoice,
    read_invoice,
    read_invoices,
)
from backend.invoices.runs.finalizing import finalize
from backend.invoices.runs.runs import latest_runs
from backend.invoices.settling import record_payment, write_off
from backend.invoices.taxing.answers import TaxAnswers, with_answers
from backend.settings import Settings
from backend_client.types.common import Page
from backend_client.types.invoices import (
    BillingTerms,
    CreditNote,
    CreditNoteCreate,
    CreditNoteReversal,
    Invoice,
    InvoiceRun,
    InvoiceSummary,
    OneOffInvoiceCreate,
    PaymentRecord,
    VoidInvoice,
)

router = APIRouter(tags=["operator"])

OperatorReader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Biller = Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))]

_INVOICE = "/v1/tenants/{tenant_id}/invoices/{invoice_id}"


@router.get("/v1/tenants/{tenant_id}/invoices")
async def get_tenant_invoices(
    services: ServicesNow,
    caller: OperatorReader,
    tenant_id: TenantId,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[InvoiceSummary]:
    """List a tenant's invoices, the draft of the next first, then newest first."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        now = now_of(tenant)
    return await read_invoices(
        services.database,
        services.settings,
        services.tax_preview,
        tenant.id,
        now,
        cursor=cursor,
        limit=limit,
    )


@router.post("/v1/tenants/{tenant_id}/invoices", status_code=201)
async def post_one_off_invoice(
    services: ServicesNow,
    caller: Biller,
    tenant_id: TenantId,
    wanted: OneOffInvoiceCreate,
    idempotency_key: IdempotencyKey = None,
) -> Invoice:
    """Issue an invoice of lines of your own, such as a set-up fee, taxed as any other."""
    answers, invoice_id = TaxAnswers(services.tax_service), new_id("inv")

    async def once() -> Invoice:
        async with services.database.begin() as connection:
            tenant = await find_tenant(connection, tenant_id)
            issued_id = await issue_one_off(
                connection,
                services.settings,
                tenant,
                invoice_id,
                wanted,
                now_of(tenant),
                answers,
                idempotency_key=idempotency_key,
                by=caller,
            )
            return await _read(connection, services.settings, tenant.id, issued_id)

    return await with_answers(answers, once)


@router.get(_INVOICE)
async def get_tenant_invoice(
    services: ServicesNow, caller: OperatorReader, tenant_id: TenantId, invoice_id: InvoiceId
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
        now_of(tenant),
    )


@router.post(_INVOICE + "/finalize")
async def post_finalize(
    services: ServicesNow, caller: Biller, tenant_id: TenantId, invoice_id: InvoiceId
) -> Invoice:
    """Finalize the draft of an ended period before its grace is over. It may be repeated.

    A draft that asks for nothing is closed without an invoice, and answers 409. While a tax service
    is away nothing is issued: 503, ``tax_not_known``.
    """
    answers = TaxAnswers(services.tax_service)

    async def once() -> tuple[str, str | None]:
        async with services.database.begin() as connection:
            tenant = await find_tenant(connection, tenant_id)
            now = now_of(tenant)
            finalized = await finalize(
                connection, services.settings, tenant.id, invoice_id, now, answers, by=caller
            )
        return tenant.id, finalized

    own_id, finalized = await with_answers(answers, once)
    if finalized is None:
        raise NothingToInvoice()
    async with services.database.begin() as connection:
        return await _read(connection, services.settings, own_id, finalized)


@router.post(_INVOICE + "/void")
async def post_void(
    services: ServicesNow,
    caller: Biller,
    tenant_id: TenantId,
    invoice_id: InvoiceId,
    wanted: VoidInvoice,
) -> Invoice:
    """Declare an unpaid invoice void. Returns it, or the one issued in its place."""
    answers, reissue_id = TaxAnswers(services.tax_service), new_id("inv")

    async def once() -> Invoice:
        async with services.database.begin() as connection:
            tenant = await find_tenant(connection, tenant_id)
            returned_id = await void(
                connection,
                services.settings,
                tenant,
                invoice_id,
                wanted,
                now_of(tenant),
                answers,
                reissue_id=reissue_id,
                by=caller,
            )
            return await _read(connection, services.settings, tenant.id, returned_id)

    return await with_answers(answers, once)


@router.post(_INVOICE + "/write-off")
async def post_write_off(
    services: ServicesNow, caller: Biller, tenant_id: TenantId, invoice_id: InvoiceId
) -> Invoice:
    """Mark an invoice as uncollectible: nobody expects it to be paid, and no reminder follows."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        await write_off(connection, tenant.id, invoice_id, now_of(tenant), by=caller)
        return await _read(connection, services.settings, tenant.id, invoice_id)


@router.post(_INVOICE + "/payments", status_code=201)
async def post_payment(
    services: ServicesNow,
    caller: Biller,
    tenant_id: TenantId,
    invoice_id: InvoiceId,
    paid: PaymentRecord,
) -> Invoice:
    """Record a received payment. The same method and reference again is the same payment."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        now = now_of(tenant)
        await record_payment(connection, tenant.id, invoice_id, paid, now, by=caller)
        return await _read(connection, services.settings, tenant.id, invoice_id)


@router.post(_INVOICE + "/credit-notes", status_code=201)
async def post_credit_note(
    services: ServicesNow,
    caller: Biller,
    tenant_id: TenantId,
    invoice_id: InvoiceId,
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
            now_of(tenant),
            idempotency_key=idempotency_key,
            by=caller,
        )
        return await find_credit_note(connection, tenant.id, note_id)


@router.post("/v1/tenants/{tenant_id}/credit-notes/{credit_note_id}/reverse")
async def post_credit_note_reversal(
    services: ServicesNow,
    caller: Biller,
    tenant_id: TenantId,
    credit_note_id: CreditNoteId,
    wanted: CreditNoteReversal,
) -> Invoice:
    """Take back a wrong credit note by an invoice of what it took off. It may be repeated."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        now = now_of(tenant)
        issued_id = await reverse_credit_note(
            connection, services.settings, tenant, credit_note_id, wanted, now, by=caller
        )
        return await _read(connection, services.settings, tenant.id, issued_id)


@router.get("/v1/tenants/{tenant_id}/billing-terms")
async def get_billing_terms(
    services: ServicesNow, caller: OperatorReader, tenant_id: TenantId
) -> BillingTerms:
    """Return the terms agreed with a tenant."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return (await profile_of(connection, tenant.id)).terms


@router.put("/v1/tenants/{tenant_id}/billing-terms")
async def put_billing_terms(
    services: ServicesNow, caller: Biller, tenant_id: TenantId, terms: BillingTerms
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
async def get_invoice_runs(services: ServicesNow, caller: OperatorReader) -> list[InvoiceRun]:
    """List the last twenty invoice runs, newest first, with their progress."""
    async with services.database.begin() as connection:
        return await latest_runs(connection, services.settings)


async def _read(
    connection: AsyncConnection, settings: Settings, tenant_id: str, invoice_id: str
) -> Invoice:
    return await find_invoice(
        connection, settings, tenant_id, invoice_id, await tenant_now(connection, tenant_id)
    )
