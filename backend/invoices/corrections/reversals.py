"""Take back a credit note that was wrong: an invoice asks for what it took off.

No document is removed or changed. The invoice has the note's lines and taxes to the cent, so that
both together come to nothing, and what the note put on the customer's balance pays it.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.principal import Principal
from backend.customers.profiles import profile_of
from backend.ids import new_id
from backend.invoices.drafts.billing_cursors import unbilled
from backend.invoices.errors import CreditNoteNotFound, CreditNoteReversed, CreditSaleStands
from backend.invoices.issuing.issuing import ToIssue, issue
from backend.invoices.rules.lines import ComposedLine, Item
from backend.invoices.settling import lock_invoice
from backend.invoices.taxing.deciding import InvoiceTax
from backend.invoices.taxing.untaxed import Untaxed, day_at
from backend.pricing.money import ZERO, money
from backend.pricing.periods import BillingPeriod
from backend.settings import Settings
from backend.storage.tables import credit_notes, invoice_lines, invoices
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import (
    AFTER_TAX,
    CreditNoteReversal,
    InvoiceKind,
    InvoiceState,
    Tax,
)
from backend_client.types.spend import Period

REVERSED = "reversed"
"""The kind of lines that ask for what a credit note took off."""


async def reverse_credit_note(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    note_id: str,
    wanted: CreditNoteReversal,
    now: datetime,
    *,
    by: Principal | None = None,
) -> str:
    """Issue the invoice that takes back a credit note; return its id. Again returns the same.

    ``by`` is whose act it is: the audit has it, once. Raises ``NotFound``; ``Conflict`` if the
    reversal was declared void.
    """
    await unbilled(connection, tenant.id, lock=True)
    query = select(credit_notes).where(
        credit_notes.c.tenant_id == tenant.id, credit_notes.c.id == note_id
    )
    note = (await connection.execute(query)).mappings().first()
    if note is None:
        raise CreditNoteNotFound()
    row = await lock_invoice(connection, tenant.id, note["invoice_id"])
    if row["kind"] == InvoiceKind.TOP_UP:
        raise CreditSaleStands()
    earlier = select(invoices.c.id, invoices.c.state, invoices.c.replaced_by).where(
        invoices.c.tenant_id == tenant.id, invoices.c.reverses == note_id
    )
    held = (await connection.execute(earlier)).first()
    if held is not None:
        if held.state == InvoiceState.VOID and held.replaced_by is None:
            raise CreditNoteReversed("The invoice that took it back is void, and so was waived.")
        return str(held.replaced_by or held.id)
    period = BillingPeriod(row["period_start"], row["period_end"], row["time_zone"])
    reversal = Untaxed(
        new_id("inv"),
        InvoiceKind.REVERSAL,
        tenant,
        await profile_of(connection, tenant.id),
        period,
        await _lines(connection, row, note),
        row["tax_date"] or day_at(now, period),
    )
    taxes = [Tax.model_validate(tax) for tax in note["taxes"]]
    if note["tax"] and not taxes:  # a note of the time before each of its taxes was kept
        taxes = [_one_tax(note, row["currency"])]
    notes = [f"Takes back credit note {note['number']} on {row['number']}: {wanted.reason}"]
    tax = InvoiceTax(taxes, [*row["tax_notes"], *notes])
    issued = ToIssue(reversal, tax, reverses=note_id, draws_credit=False)
    await issue(connection, settings, [issued], now)
    if by is not None:
        detail = {"invoice": reversal.id, "reason": wanted.reason}
        await record(
            connection, by, "credit-note.reverse", note_id, tenant_id=tenant.id, detail=detail
        )
    return reversal.id


async def _lines(
    connection: AsyncConnection, row: RowMapping, note: RowMapping
) -> list[ComposedLine]:
    query = select(invoice_lines).where(
        invoice_lines.c.tenant_id == row["tenant_id"], invoice_lines.c.invoice_id == row["id"]
    )
    of_invoice = {line["line"]: line for line in (await connection.execute(query)).mappings()}
    period = Period(start=row["period_start"], end=row["period_end"], time_zone=row["time_zone"])
    lines = [
        _line(note, credited["line"], of_invoice[credited["line"]], Decimal(credited["amount"]))
        for credited in note["lines"]
    ]
    if lines:
        return lines
    of = Item(REVERSED, None, None, note["number"])
    return [ComposedLine(of, f"Tax credited by {note['number']}", period, ZERO, ZERO)]


def _one_tax(note: RowMapping, currency: str) -> Tax:
    return Tax(
        name="Tax",
        percent=ZERO,
        inclusive=False,
        taxable=money(note["subtotal"], currency),
        amount=money(note["tax"], currency),
    )


def _line(note: RowMapping, number: int, credited: RowMapping, amount: Decimal) -> ComposedLine:
    start, end = credited["period_start"], credited["period_end"]
    period = Period(start=start, end=end, time_zone="UTC")  # lines keep no zone of their own
    # What credit had paid after tax is so on the reversal too; other lines have a kind of their own
    kind = credited["kind"] if credited["kind"] in AFTER_TAX else REVERSED
    of = Item(kind, credited["plan"], None, f"{note['number']} {number}")
    return ComposedLine(
        of, f"Credited by {note['number']}: {credited['name']}", period, amount, amount
    )
