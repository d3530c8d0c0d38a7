"""Void an invoice that should not have been issued so, and issue it again under a new number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.principal import Principal
from backend.customers.profiles import profile_of
from backend.errors import InvalidInput
from backend.ids import new_id
from backend.invoices.corrections.billing_again import bill_again
from backend.invoices.drafts.billing_cursors import unbilled
from backend.invoices.drafts.drafting import stored_line
from backend.invoices.errors import CreditSaleStands, InvoiceHasPayments
from backend.invoices.issuing.given_part import given_part
from backend.invoices.issuing.issuing import (
    BALANCE,
    CREDIT,
    OWN_METHODS,
    ToIssue,
    issue,
    payment_row,
)
from backend.invoices.rules.lifecycle import check_move
from backend.invoices.rules.lines import ITEM, ComposedLine
from backend.invoices.settling import lock_invoice
from backend.invoices.taxing.answers import TaxAnswers
from backend.invoices.taxing.deciding import InvoiceTax, tax_rules
from backend.invoices.taxing.untaxed import Untaxed, closing_day
from backend.outbox.platform_queue import Action, Fact, enqueue_for_platforms
from backend.pricing.periods import BillingPeriod
from backend.settings import Settings
from backend.storage.tables import invoice_items, invoice_lines, invoices, payments
from backend.wallets.given import give_back
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import InvoiceKind, InvoiceState, Tax, VoidInvoice

_TAX_STANDS = {
    InvoiceKind.REVERSAL: "stands: it is the tax of the credit note that the invoice takes back",
    InvoiceKind.INSTALMENT: "falls when the credit is used, and not on the instalment",
}
"""Kinds of invoices whose tax can't be asked for again, and why."""


async def void(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    invoice_id: str,
    wanted: VoidInvoice,
    now: datetime,
    answers: TaxAnswers | None = None,
    *,
    reissue_id: str | None = None,
    by: Principal | None = None,
) -> str:
    """Declare an unpaid invoice void; return its id, or that of the one issued in its place.

    What it asked for is waived unless it is issued again or billed again; later invoices do not
    bill it. What balance and credit paid of it is added to the customer's balance, but credit that
    was given away goes back into the wallet, and pays what is issued in its place. Doing it again
    does nothing. ``reissue_id`` is the id of what is issued in its place, else a new one. ``by`` is
    whose act it is: the audit has it, once.

    Raises ``NotFound``; ``Conflict`` if other money was paid, it was credited, or it can't be
    billed again; ``InvalidInput`` if its tax can't be asked for again; ``TaxQuestionOpen`` or
    ``TaxNotKnown`` where ``answers`` lack what the tax service says to it.
    """
    # Locked first, as all transactions do
    coming = await unbilled(connection, tenant.id, lock=True)
    row = await lock_invoice(connection, tenant.id, invoice_id)
    if row["kind"] == InvoiceKind.TOP_UP:
        raise CreditSaleStands()
    if wanted.tax == "again" and row["kind"] in _TAX_STANDS:
        raise InvalidInput.of_field("tax", _TAX_STANDS[row["kind"]])
    if row["state"] != InvoiceState.VOID:
        check_move(InvoiceState(row["state"]), InvoiceState.VOID)
        await _return_own_payments(connection, tenant, row, now)
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
        voided = Fact(tenant.id, Action.VOID, invoice_id, invoice_id, row["issued_at"])
        await enqueue_for_platforms(connection, [voided])
    comes_again = (wanted.reissue or wanted.bill_again) and row["replaced_by"] is None
    if by is not None and (row["state"] != InvoiceState.VOID or comes_again):
        detail: dict[str, object] = {
            "reason": wanted.reason,
            "issued_again": wanted.reissue,
            "tax": wanted.tax,
            "billed_again": wanted.bill_again,
        }
        await record(connection, by, "invoice.void", invoice_id, tenant_id=tenant.id, detail=detail)
    if wanted.bill_again and comes_again:
        await bill_again(connection, settings, row, coming, now)
    if not wanted.reissue:
        return invoice_id
    if row["replaced_by"] is not None:
        return str(row["replaced_by"])
    again = await _untaxed(connection, tenant, row, reissue_id or new_id("inv"))
    taxes = [Tax.model_validate(tax) for tax in row["taxes"]]
    tax = InvoiceTax(taxes, row["tax_notes"])
    if wanted.tax == "again":
        rules = await tax_rules(connection, settings, answers or TaxAnswers())
        tax = rules.decide(again)
    await _reissue(connection, settings, row, again, tax, now)
    return again.id


async def _return_own_payments(
    connection: AsyncConnection, tenant: Tenant, row: RowMapping, now: datetime
) -> None:
    query = select(payments.c.method, payments.c.amount).where(
        payments.c.tenant_id == row["tenant_id"], payments.c.invoice_id == row["id"]
    )
    paid = (await connection.execute(query)).all()
    received: defaultdict[str, Decimal] = defaultdict(Decimal)
    for payment in paid:
        received[payment.method] += payment.amount if payment.method not in OWN_METHODS else 0
    if row["credited"] or any(received.values()):  # what was returned since was not received
        raise InvoiceHasPayments()
    given, to_credit, _ = await given_part(connection, tenant, row)
    parts = ((CREDIT, to_credit), (BALANCE, row["paid"] - to_credit))
    for method, amount in parts:
        if amount:
            back = payment_row(row, -amount, method, f"{row['number']} void", now)
            await connection.execute(insert(payments).values(**back))
    if to_credit:
        await give_back(connection, tenant, given, to_credit, row["id"], now)


async def _untaxed(
    connection: AsyncConnection, tenant: Tenant, row: RowMapping, invoice_id: str
) -> Untaxed:
    """Return a void invoice as it is issued again, to the customer as it is named today."""
    period = BillingPeriod(row["period_start"], row["period_end"], row["time_zone"])
    return Untaxed(
        invoice_id,
        InvoiceKind(row["kind"]),
        tenant,
        await profile_of(connection, tenant.id),
        period,
        await _stored_lines(connection, row),
        row["tax_date"] or closing_day(period),
    )


async def _reissue(
    connection: AsyncConnection,
    settings: Settings,
    row: RowMapping,
    again: Untaxed,
    tax: InvoiceTax,
    now: datetime,
) -> None:
    """Issue a void invoice again: its lines and terms."""
    reissued = ToIssue(
        again,
        tax,
        replaces=row["id"],
        net_days=(row["due_at"] - row["issued_at"]).days,
        draws_credit=again.kind in (InvoiceKind.PERIOD, InvoiceKind.PROGRESSIVE),
    )
    await connection.execute(
        update(invoices)
        .where(invoices.c.tenant_id == row["tenant_id"], invoices.c.id == row["id"])
        .values(replaced_by=again.id)
    )
    await issue(connection, settings, [reissued], now)


async def _stored_lines(connection: AsyncConnection, row: RowMapping) -> list[ComposedLine]:
    query = (
        select(invoice_lines)
        .where(
            invoice_lines.c.tenant_id == row["tenant_id"], invoice_lines.c.invoice_id == row["id"]
        )
        .order_by(invoice_lines.c.line)
    )
    rows = (await connection.execute(query)).mappings().all()
    codes = await _tax_codes(connection, row["tenant_id"], rows)
    return [
        replace(stored_line(line, row["time_zone"]), tax_code=codes.get(line["item"]))
        for line in rows
    ]


async def _tax_codes(
    connection: AsyncConnection, tenant_id: str, rows: Sequence[RowMapping]
) -> dict[str, str | None]:
    """Return the tax codes of lines that the operator put on an invoice, by the item."""
    items = [row["item"] for row in rows if row["kind"] == ITEM]
    if not items:
        return {}
    query = select(invoice_items.c.id, invoice_items.c.tax_code).where(
        invoice_items.c.tenant_id == tenant_id, invoice_items.c.id.in_(items)
    )
    return {row.id: row.tax_code for row in await connection.execute(query)}
