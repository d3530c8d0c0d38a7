"""Payments, and what else settles an invoice."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.principal import Principal
from backend.invoices.errors import (
    AmountOverDue,
    InvoiceNotFound,
    MomentToCome,
    PaymentMethodReserved,
    PaymentReferenceReused,
)
from backend.invoices.issuing.issuing import BALANCE, OWN_METHODS, payment_row
from backend.invoices.rules.lifecycle import Balance, check_move, due
from backend.invoices.rules.notices import paid_notice
from backend.outbox.platform_queue import Action, Fact, enqueue_for_platforms
from backend.outbox.queue import enqueue_notices
from backend.pricing.errors import TooManyDecimals
from backend.pricing.money import minor_digits, round_to_minor_unit
from backend.storage.tables import invoices, payments
from backend_client.types.common import plain
from backend_client.types.invoices import InvoiceState, PaymentRecord
from backend_client.types.platforms import PlatformName


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
    *,
    by: Principal | None = None,
) -> None:
    """Record money that was received for an invoice; doing it again does nothing.

    ``by`` is whose act it is: the audit has it, once.

    A payment is identified by its method and reference. Raises ``NotFound``; ``InvalidInput`` for
    more than is due; ``Conflict`` if the reference was used with another amount or the invoice asks
    for nothing.
    """
    row = await lock_invoice(connection, tenant_id, invoice_id)
    if paid.method in OWN_METHODS:
        raise PaymentMethodReserved.of_field(
            "method", "is how Farebox itself pays from the customer's balance or credit"
        )
    if paid.method in list(PlatformName):
        # Else the platform would not be told, and might collect it too
        raise PaymentMethodReserved.of_field(
            "method", "is how payments that the platform reports are kept"
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
    check_past("received_at", paid.received_at, now)
    currency, received_at = row["currency"], paid.received_at or now
    if round_to_minor_unit(paid.amount, currency) != paid.amount:
        raise TooManyDecimals.of_field(
            "amount", f"{currency} has {minor_digits(currency)} decimals"
        )
    left = due(InvoiceState(row["state"]), Balance(row["total"], row["paid"], row["credited"]))
    if paid.excess == "refuse":
        check_move(InvoiceState(row["state"]), InvoiceState.PAID)
        if paid.amount > left:
            raise AmountOverDue.of_field(
                "amount",
                f"is more than the {plain(left)} {currency} that are due; "
                "with excess: balance the rest goes to the customer's balance",
            )
    await receive(connection, row, paid.amount, paid.method, paid.reference, received_at, now)
    if by is not None:
        detail = paid.model_dump(mode="json", exclude_none=True)
        await record(
            connection, by, "invoice.payment", invoice_id, tenant_id=tenant_id, detail=detail
        )


def check_past(field: str, moment: datetime | None, now: datetime) -> None:
    """Raise ``MomentToCome`` if money is said to have moved at a time that is still to come."""
    if moment is not None and moment > now:
        raise MomentToCome.of_field(field, "is still to come")


async def receive(
    connection: AsyncConnection,
    row: RowMapping,
    amount: Decimal,
    method: str,
    reference: str,
    received_at: datetime,
    now: datetime,
) -> None:
    """Book money on a locked invoice; what it does not ask for goes to the customer's balance."""
    asked = due(InvoiceState(row["state"]), Balance(row["total"], row["paid"], row["credited"]))
    applied = min(amount, asked)
    rows = [payment_row(row, amount, method, reference, received_at)]
    if applied < amount:
        rows.append(payment_row(row, applied - amount, BALANCE, f"{method} {reference}", now))
    await connection.execute(insert(payments), rows)
    if applied:
        await settle(connection, row, now, paid=row["paid"] + applied)


async def reopen(connection: AsyncConnection, row: RowMapping, paid: Decimal) -> None:
    """Let a locked invoice ask again for what was ``paid`` of it less than before."""
    values: dict[str, Any] = {"paid": paid}
    if row["state"] == InvoiceState.PAID:
        lost = row["written_off_at"] is not None
        state = InvoiceState.UNCOLLECTIBLE if lost else InvoiceState.FINALIZED
        values |= {"state": state.value, "paid_at": None}
    await _update(connection, row, **values)


async def write_off(
    connection: AsyncConnection,
    tenant_id: str,
    invoice_id: str,
    now: datetime,
    *,
    by: Principal | None = None,
) -> None:
    """Mark an invoice as one that nobody expects to be paid; doing it again does nothing.

    ``by`` is whose act it is: the audit has it, once.
    """
    row = await lock_invoice(connection, tenant_id, invoice_id)
    state = InvoiceState(row["state"])
    if state is not InvoiceState.UNCOLLECTIBLE:
        check_move(state, InvoiceState.UNCOLLECTIBLE)
        uncollectible = InvoiceState.UNCOLLECTIBLE.value
        await _update(connection, row, state=uncollectible, written_off_at=now)
        written_off = Fact(tenant_id, Action.WRITE_OFF, invoice_id, invoice_id, row["issued_at"])
        await enqueue_for_platforms(connection, [written_off])
        if by is not None:
            await record(connection, by, "invoice.write-off", invoice_id, tenant_id=tenant_id)


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
    if after["paid"] > row["paid"]:
        # Named by the moment too: what is paid may come to the same sum twice
        settled = f"{row['id']} {plain(after['paid'])} {now.isoformat()}"
        fact = Fact(row["tenant_id"], Action.SETTLE, row["id"], settled, row["issued_at"])
        await enqueue_for_platforms(connection, [fact])
    if "state" in values:
        await enqueue_notices(connection, [paid_notice(row, after["paid"], after["credited"], now)])


async def _update(connection: AsyncConnection, row: RowMapping, **values: Any) -> None:
    await connection.execute(
        update(invoices)
        .where(invoices.c.tenant_id == row["tenant_id"], invoices.c.id == row["id"])
        .values(**values)
    )
