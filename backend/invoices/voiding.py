"""Void an invoice that should not have been issued so, and issue it again under a new number."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.customers.profiles import profile_of
from backend.ids import new_id
from backend.invoices.billing_cursors import unbilled
from backend.invoices.drafting import stored_line
from backend.invoices.errors import InvoiceHasPayments
from backend.invoices.issuing import BALANCE, OWN_METHODS, ToIssue, issue, payment_row
from backend.invoices.rules.lifecycle import check_move
from backend.invoices.rules.lines import ComposedLine
from backend.invoices.settling import lock_invoice
from backend.invoices.taxing.deciding import InvoiceTax
from backend.invoices.taxing.untaxed import Untaxed, closing_day
from backend.pricing.periods import BillingPeriod
from backend.settings import Settings
from backend.storage.tables import invoice_lines, invoices, payments
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import InvoiceKind, InvoiceState, Tax, VoidInvoice


async def void(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    invoice_id: str,
    wanted: VoidInvoice,
    now: datetime,
) -> str:
    """Declare an unpaid invoice void; return its id, or that of the one issued in its place.

    What it asked for is waived unless it is issued again; later invoices do not bill it. What
    balance and credit paid of it is added to the customer's balance. Doing it again does nothing.
    Raises ``NotFound``; ``Conflict`` if other money was paid or it was credited.
    """
    await unbilled(
        connection, tenant.id, lock=True
    )  # the order of locks that all transactions keep
    row = await lock_invoice(connection, tenant.id, invoice_id)
    if row["state"] != InvoiceState.VOID:
        check_move(InvoiceState(row["state"]), InvoiceState.VOID)
        await _return_own_payments(connection, row, now)
        await connection.execute(
            update(invoices)
            .where(invoices.c.tenant_id == tenant.id, invoices.c.id == invoice_id)
            .values(
                state=InvoiceState.VOID.value,
                voided_at=now,
                void_reason=wanted.reason,
                paid=Decimal(0),
            )
        )
    return await _reissue(connection, settings, tenant, row, now) if wanted.reissue else invoice_id


async def _return_own_payments(connection: AsyncConnection, row: RowMapping, now: datetime) -> None:
    query = select(payments.c.method, payments.c.amount).where(
        payments.c.tenant_id == row["tenant_id"], payments.c.invoice_id == row["id"]
    )
    paid = (await connection.execute(query)).all()
    if row["credited"] or any(payment.method not in OWN_METHODS for payment in paid):
        raise InvoiceHasPayments()
    if row["paid"]:
        back = payment_row(row, -row["paid"], BALANCE, f"{row['number']} void", now)
        await connection.execute(insert(payments).values(**back))


async def _reissue(
    connection: AsyncConnection, settings: Settings, tenant: Tenant, row: RowMapping, now: datetime
) -> str:
    """Issue a void invoice again: its lines, taxes and terms, to the customer as named today."""
    if row["replaced_by"] is not None:
        return str(row["replaced_by"])
    period = BillingPeriod(row["period_start"], row["period_end"], row["time_zone"])
    again = Untaxed(
        new_id("inv"),
        InvoiceKind(row["kind"]),
        tenant,
        await profile_of(connection, tenant.id),
        period,
        await _stored_lines(connection, row),
        row["tax_date"] or closing_day(period),
    )
    taxes = [Tax.model_validate(tax) for tax in row["taxes"]]
    reissued = ToIssue(
        again,
        InvoiceTax(taxes, row["tax_notes"]),
        replaces=row["id"],
        net_days=(row["due_at"] - row["issued_at"]).days,
    )
    await connection.execute(
        update(invoices)
        .where(invoices.c.tenant_id == tenant.id, invoices.c.id == row["id"])
        .values(replaced_by=again.id)
    )
    await issue(connection, settings, [reissued], now)
    return again.id


async def _stored_lines(connection: AsyncConnection, row: RowMapping) -> list[ComposedLine]:
    query = (
        select(invoice_lines)
        .where(
            invoice_lines.c.tenant_id == row["tenant_id"], invoice_lines.c.invoice_id == row["id"]
        )
        .order_by(invoice_lines.c.line)
    )
    lines = (await connection.execute(query)).mappings()
    return [stored_line(line, row["time_zone"]) for line in lines]
