"""Our rows as the documents that a platform is sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.customers.profiles import profile_of
from backend.invoices.errors import CreditNoteNotFound, InvoiceNotFound
from backend.platforms.documents import (
    CreditNoteDocument,
    Customer,
    DocumentLine,
    InvoiceDocument,
    PlanDocument,
    TaxOnDocument,
    TopUpDocument,
)
from backend.storage.tables import credit_notes, invoice_lines, invoices, payments
from backend.subscriptions.periods import period_at
from backend.subscriptions.queries import plan_in_force
from backend.wallets.top_ups import find_top_up
from backend_client.types.charges import (
    FlatCharge,
    GraduatedCharge,
    PerUnitCharge,
    VolumeCharge,
)
from backend_client.types.common import plain
from backend_client.types.invoices import AFTER_TAX, Party, Tax
from backend_client.types.wallets import TopUp


async def customer_of_tenant(connection: AsyncConnection, tenant_id: str) -> Customer:
    """Return a tenant as a customer, as it is named today; raise ``NotFound``."""
    tenant = await find_tenant(connection, tenant_id)
    party = (await profile_of(connection, tenant.id)).customer(tenant)
    return _customer(tenant.id, tenant.currency, party, tenant.time_zone)


async def invoice_document(
    connection: AsyncConnection, tenant_id: str, invoice_id: str, platform: str
) -> tuple[InvoiceDocument, Customer]:
    """Return an issued invoice as it is sent, and its customer; raise ``NotFound``."""
    tenant = await find_tenant(connection, tenant_id)
    row = await _invoice(connection, tenant_id, invoice_id)
    query = (
        select(invoice_lines)
        .where(invoice_lines.c.tenant_id == tenant_id, invoice_lines.c.invoice_id == invoice_id)
        .order_by(invoice_lines.c.line)
    )
    lines = (await connection.execute(query)).mappings().all()
    elsewhere = select(func.coalesce(func.sum(payments.c.amount), 0)).where(
        payments.c.tenant_id == tenant_id,
        payments.c.invoice_id == invoice_id,
        payments.c.method != platform,
    )
    paid = Decimal(await connection.scalar(elsewhere) or 0)
    party = Party.model_validate(row["customer"])
    document = InvoiceDocument(
        **_issued(row, row["currency"], [_line(line) for line in lines]),
        due_at=row["due_at"],
        tax=row["tax"],
        paid=max(paid, Decimal(0)),
        notes=tuple(row["tax_notes"]),
        time_zone=tenant.time_zone,
    )
    return document, _customer(tenant_id, row["currency"], party, tenant.time_zone)


async def credit_note_document(
    connection: AsyncConnection, tenant_id: str, note_id: str, remote_invoice: str
) -> CreditNoteDocument:
    """Return a credit note as it is sent; raise ``NotFound``."""
    query = select(credit_notes).where(
        credit_notes.c.tenant_id == tenant_id, credit_notes.c.id == note_id
    )
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise CreditNoteNotFound()
    invoice = await _invoice(connection, tenant_id, row["invoice_id"])
    query = select(invoice_lines.c.line, invoice_lines.c.name, invoice_lines.c.kind).where(
        invoice_lines.c.tenant_id == tenant_id, invoice_lines.c.invoice_id == row["invoice_id"]
    )
    of_line = {line.line: line for line in await connection.execute(query)}
    lines = [
        DocumentLine(
            line["line"],
            of_line[line["line"]].name,
            Decimal(line["amount"]),
            after_tax=of_line[line["line"]].kind in AFTER_TAX,
        )
        for line in row["lines"]
    ]
    return CreditNoteDocument(
        **_issued(row, invoice["currency"], lines),
        reason=row["reason"],
        remote_invoice=remote_invoice,
    )


async def top_up_document(
    connection: AsyncConnection, tenant_id: str, top_up_id: str
) -> tuple[TopUpDocument, TopUp]:
    """Return a top-up as it is paid for, and as it stands; raise ``NotFound``."""
    top_up = await find_top_up(connection, tenant_id, top_up_id)
    customer = await customer_of_tenant(connection, tenant_id)
    return TopUpDocument(top_up_id, customer, top_up.amount), top_up


async def plan_document(
    connection: AsyncConnection, tenant_id: str, at: datetime
) -> tuple[PlanDocument, datetime]:
    """Return the plan that a tenant is on, and the end of its period then; raise ``NotFound``.

    Charges that the platform can't rate are left out: nobody is connected whose plan has any.
    """
    tenant = await find_tenant(connection, tenant_id)
    on = await plan_in_force(connection, tenant, at)
    terms = (await profile_of(connection, tenant.id)).terms
    period = await period_at(connection, tenant, at)
    document = PlanDocument(
        tenant.id,
        on.plan.id,
        on.subscription.plan.version,
        tenant.currency,
        tuple(
            charge
            for charge in on.plan.charges
            if isinstance(charge, FlatCharge | PerUnitCharge | GraduatedCharge | VolumeCharge)
        ),
        30 if terms.net_days is None else terms.net_days,
        tenant.time_zone,
    )
    return document, period.end


async def _invoice(connection: AsyncConnection, tenant_id: str, invoice_id: str) -> RowMapping:
    query = select(invoices).where(invoices.c.tenant_id == tenant_id, invoices.c.id == invoice_id)
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise InvoiceNotFound()
    return row


def _issued(row: RowMapping, currency: str, lines: Sequence[DocumentLine]) -> dict[str, Any]:
    """Return what invoices and credit notes have in common, from the row of either."""
    return {
        "id": row["id"],
        "tenant_id": row["tenant_id"],
        "number": row["number"],
        "currency": currency,
        "issued_at": row["issued_at"],
        "lines": tuple(lines),
        "taxes": tuple(_tax(tax) for tax in row["taxes"]),
        "total": row["total"],
    }


def _line(row: RowMapping) -> DocumentLine:
    quantity = "" if row["quantity"] is None else f" ({plain(row['quantity'])})"
    late = ", used late" if row["late"] else ""
    text = f"{row['name']}{quantity}{late}"
    start, end = row["period_start"], row["period_end"]
    return DocumentLine(
        row["line"], text, row["amount"], start, end, after_tax=row["kind"] in AFTER_TAX
    )


def _tax(stored: object) -> TaxOnDocument:
    tax = Tax.model_validate(stored)
    return TaxOnDocument(
        tax.name, tax.percent, tax.inclusive, tax.taxable.amount, tax.amount.amount
    )


def _customer(tenant_id: str, currency: str, party: Party, time_zone: str) -> Customer:
    return Customer(
        tenant_id,
        currency,
        party.name,
        party.email,
        tuple(party.address),
        party.country,
        party.region,
        time_zone,
    )
