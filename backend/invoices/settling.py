"""Payments, and what else settles an invoice."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.errors import InvalidInput
from backend.invoices.errors import InvoiceNotFound, PaymentReferenceReused
from backend.invoices.issuing import OWN_METHODS, payment_row
from backend.invoices.rules.lifecycle import Balance, check_move, due
from backend.invoices.rules.notices import paid_notice
from backend.outbox.queue import enqueue_notices
from backend.pricing.money import minor_digits, round_to_minor_unit
from backend.storage.tables import invoices, payments
from backend_client.types.common import plain
from backend_client.types.invoices import InvoiceState, PaymentRecord


async def lock_invoice(connection: AsyncConnection, tenant_id: str, invoice_id: str) -> RowMapping:
    """Return an issued invoice's row, locked; raise ``NotFound``."""
    query = (
        select(invoices)
        .where(invoices.c.tenant_id == tenant_id, invoices.c.id == invoice_id)
        .with_for_update()
    )
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise InvoiceNotFound("There is no such invoice, or it is still a draft.")
    return row


async def record_payment(
    connection: AsyncConnection,
    tenant_id: str,
    invoice_id: str,
    paid: PaymentRecord,
    now: datetime,
) -> None:
    """Record money that was received for an invoice; doing it again does nothing.

    A payment is identified by its method and reference. Raises ``NotFound``; ``InvalidInput`` for
    more than is due; ``Conflict`` if the reference was used with another amount or the invoice asks
    for nothing.
    """
    row = await lock_invoice(connection, tenant_id, invoice_id)
    if paid.method in OWN_METHODS:
        raise InvalidInput.of_field(
            "method", "is how Farebox itself pays from the customer's balance or credit"
        )
    recorded = select(payments.c.amount).where(
        payments.c.tenant_id == tenant_id,
        payments.c.invoice_id == invoice_id,
        payments.c.method == paid.method,
        payments.c.reference == paid.reference,
    )
    amount = await connection.scalar(recorded)
    if amount is not None:
        if amount != paid.amount:
            raise PaymentReferenceReused(
                f"A payment of {plain(amount)} {row['currency']} is recorded with this reference."
            )
        return
    check_move(InvoiceState(row["state"]), InvoiceState.PAID)
    _check_amount(row, paid)
    payment = payment_row(row, paid.amount, paid.method, paid.reference, paid.received_at or now)
    await connection.execute(insert(payments).values(**payment))
    await settle(connection, row, now, paid=row["paid"] + paid.amount)


async def write_off(connection: AsyncConnection, tenant_id: str, invoice_id: str) -> None:
    """Mark an invoice as one that nobody expects to be paid; doing it again does nothing."""
    row = await lock_invoice(connection, tenant_id, invoice_id)
    state = InvoiceState(row["state"])
    if state is not InvoiceState.UNCOLLECTIBLE:
        check_move(state, InvoiceState.UNCOLLECTIBLE)
        await _update(connection, row, state=InvoiceState.UNCOLLECTIBLE.value)


async def settle(
    connection: AsyncConnection, row: RowMapping, now: datetime, **amounts: Any
) -> None:
    """Set what was ``paid`` or ``credited`` of a locked invoice; it is paid when nothing is due."""
    after = {"paid": row["paid"], "credited": row["credited"]} | amounts
    values: dict[str, Any] = dict(after)
    open_still = row["state"] in {InvoiceState.FINALIZED, InvoiceState.UNCOLLECTIBLE}
    if open_still and Balance(row["total"], after["paid"], after["credited"]).settled:
        values |= {"state": InvoiceState.PAID.value, "paid_at": now}
    await _update(connection, row, **values)
    if "state" in values:
        await enqueue_notices(connection, [paid_notice(row, after["paid"], after["credited"], now)])


async def _update(connection: AsyncConnection, row: RowMapping, **values: Any) -> None:
    await connection.execute(
        update(invoices)
        .where(invoices.c.tenant_id == row["tenant_id"], invoices.c.id == row["id"])
        .values(**values)
    )


def _check_amount(row: RowMapping, paid: PaymentRecord) -> None:
    currency = row["currency"]
    if round_to_minor_unit(paid.amount, currency) != paid.amount:
        raise InvalidInput.of_field("amount", f"{currency} has {minor_digits(currency)} decimals")
    left = due(InvoiceState(row["state"]), Balance(row["total"], row["paid"], row["credited"]))
    if paid.amount > left:
        raise InvalidInput.of_field(
            "amount", f"is more than the {plain(left)} {currency} that are due"
        )
