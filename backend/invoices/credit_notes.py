"""Credit notes: take back an invoice or parts of it, with the tax that was on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.idempotency import claim_key
from backend.errors import InvalidInput
from backend.ids import new_id
from backend.invoices.errors import InvoiceFullyCredited, InvoiceVoid
from backend.invoices.issuing import BALANCE, payment_row
from backend.invoices.numbering import credit_note_series, take_numbers
from backend.invoices.rules.lifecycle import Balance, due
from backend.invoices.rules.notices import credited_notice
from backend.invoices.settling import lock_invoice, settle
from backend.invoices.taxing.deciding import tax_line, wire_tax
from backend.outbox.queue import enqueue_notices
from backend.pricing.money import ZERO, exact_arithmetic, minor_digits, round_to_minor_unit
from backend.pricing.tax.lines import TaxLine, tax_of_part
from backend.settings import Settings
from backend.storage.tables import credit_notes, invoice_lines, payments
from backend_client.types.accounts import Tenant
from backend_client.types.common import plain
from backend_client.types.invoices import CreditNoteCreate, InvoiceState, Tax


async def credit(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    invoice_id: str,
    wanted: CreditNoteCreate,
    now: datetime,
    *,
    idempotency_key: str | None = None,
) -> str:
    """Credit lines of an issued invoice, or the rest of it; return the note's id.

    It lowers what is due. What was paid already is added to the customer's balance, which the next
    invoices draw on. Raises ``NotFound``; ``Conflict`` for an invoice that is void or has nothing
    left; ``InvalidInput`` for more than is left of a line or of the invoice.
    """
    row = await lock_invoice(connection, tenant.id, invoice_id)
    note_id = new_id("crn")
    if idempotency_key is not None:
        request = f"credit {invoice_id} {wanted.model_dump_json()}"
        recorded = await claim_key(connection, tenant.id, idempotency_key, request, note_id)
        if recorded is not None:
            return recorded
    if row["state"] == InvoiceState.VOID:
        raise InvoiceVoid("This invoice is void: there is nothing to credit.")
    earlier = await _earlier(connection, tenant.id, invoice_id)
    left = await _left(connection, tenant.id, invoice_id, earlier)
    with exact_arithmetic():
        lines = _chosen(wanted, left, row["currency"])
        before = sum((note["subtotal"] for note in earlier), ZERO)
        subtotal = sum(lines.values(), ZERO)
        taxes = _taxes(row, before, before + subtotal)
        # Less what earlier notes took, so that all together are the invoice's tax to the cent
        taxed_before = sum((note["tax"] for note in earlier), ZERO)
        tax = _on_top(row, before + subtotal) - taxed_before
        total = subtotal + tax
        if total <= 0 or row["total"] <= 0:
            raise InvoiceFullyCredited()
        if total > row["total"] - row["credited"]:
            rest = plain(row["total"] - row["credited"])
            raise InvalidInput.of_field(
                "lines", f"are more than the {rest} that is left of the invoice"
            )
        asked = due(InvoiceState(row["state"]), Balance(row["total"], row["paid"], row["credited"]))
        to_balance = max(total - asked, ZERO)
    series = credit_note_series(settings.invoice_prefix, tenant.slug)
    number = (await take_numbers(connection, [series]))[series]
    note = {
        "tenant_id": tenant.id,
        "id": note_id,
        "number": number,
        "invoice_id": invoice_id,
        "reason": wanted.reason,
        "lines": [{"line": line, "amount": str(amount)} for line, amount in lines.items()],
        "subtotal": subtotal,
        "tax": tax,
        "taxes": [each.model_dump(mode="json") for each in taxes],
        "total": total,
        "to_balance": to_balance,
        "issued_at": now,
    }
    await connection.execute(insert(credit_notes).values(**note))
    await enqueue_notices(connection, [credited_notice(row, note)])
    if to_balance:
        onto = payment_row(row, -to_balance, BALANCE, number, now)
        await connection.execute(insert(payments).values(**onto))
    await settle(
        connection, row, now, paid=row["paid"] - to_balance, credited=row["credited"] + total
    )
    return note_id


def _chosen(
    wanted: CreditNoteCreate, left: dict[int, Decimal], currency: str
) -> dict[int, Decimal]:
    if not wanted.lines:
        return {line: amount for line, amount in left.items() if amount}
    chosen: dict[int, Decimal] = {}
    for index, credited in enumerate(wanted.lines):
        at = f"lines.{index}"
        if credited.line not in left:
            raise InvalidInput.of_field(f"{at}.line", "is not a line of this invoice")
        if credited.line in chosen:
            raise InvalidInput.of_field(f"{at}.line", "is named twice")
        amount = left[credited.line] if credited.amount is None else credited.amount
        if round_to_minor_unit(amount, currency) != amount:
            raise InvalidInput.of_field(
                f"{at}.amount", f"has more than {minor_digits(currency)} decimals"
            )
        if not 0 < amount <= left[credited.line]:
            raise InvalidInput.of_field(
                f"{at}.amount", f"is not within the {plain(left[credited.line])} left of it"
            )
        chosen[credited.line] = amount
    return chosen


def _taxes(row: RowMapping, before: Decimal, after: Decimal) -> list[Tax]:
    """Return each tax on what a note credits: on all credited after it, less that before it.

    Taxing the running sum makes the notes' taxes add up to the invoice's own.
    """
    return [
        wire_tax(
            replace(now, taxable=now.taxable - was.taxable, amount=now.amount - was.amount),
            row["currency"],
        )
        for was, now in zip(_of_part(row, before), _of_part(row, after), strict=True)
    ]


def _on_top(row: RowMapping, subtotal: Decimal) -> Decimal:
    """Return the tax on top of ``subtotal``, all that is credited of an invoice."""
    return sum((tax.amount for tax in _of_part(row, subtotal) if not tax.rate.inclusive), ZERO)


def _of_part(row: RowMapping, part: Decimal) -> tuple[TaxLine, ...]:
    taxes = [tax_line(Tax.model_validate(tax)) for tax in row["taxes"]]
    return tax_of_part(taxes, row["subtotal"], part, row["currency"])


async def _earlier(
    connection: AsyncConnection, tenant_id: str, invoice_id: str
) -> Sequence[RowMapping]:
    query = select(credit_notes).where(
        credit_notes.c.tenant_id == tenant_id, credit_notes.c.invoice_id == invoice_id
    )
    return (await connection.execute(query)).mappings().all()


async def _left(
    connection: AsyncConnection, tenant_id: str, invoice_id: str, earlier: Sequence[RowMapping]
) -> dict[int, Decimal]:
    """Return what is left of each line, by its number."""
    taken: defaultdict[int, Decimal] = defaultdict(Decimal)
    for note in earlier:
        for line in note["lines"]:
            taken[line["line"]] += Decimal(line["amount"])
    query = (
        select(invoice_lines.c.line, invoice_lines.c.amount)
        .where(invoice_lines.c.tenant_id == tenant_id, invoice_lines.c.invoice_id == invoice_id)
        .order_by(invoice_lines.c.line)
    )
    rows: Any = await connection.execute(query)
    return {line: amount - taken[line] for line, amount in rows}
