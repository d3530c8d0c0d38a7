"""Money that others report: payments, refunds and disputes, whatever became of the invoice since.

An operator's entry can be refused (``settling``); money that has moved can't. What an invoice no
longer asks for is added to the customer's balance, and each report counts once by its reference.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import RowMapping, delete, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.invoices.corrections.credit_notes import credit_total
from backend.invoices.drafts.billing_cursors import unbilled
from backend.invoices.errors import BalancePaidOut
from backend.invoices.issuing.given_part import given_part
from backend.invoices.issuing.issuing import BALANCE, balances_of, payment_row
from backend.invoices.rules.lifecycle import Balance, due
from backend.invoices.settling import lock_invoice, receive, reopen
from backend.pricing.money import ZERO
from backend.settings import Settings
from backend.storage.tables import dunning_holds, payments
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import InvoiceState


async def receive_payment(
    connection: AsyncConnection,
    tenant_id: str,
    invoice_id: str,
    amount: Decimal,
    method: str,
    reference: str,
    received_at: datetime,
    now: datetime,
) -> bool:
    """Record a payment that was made; return whether it is new.

    What the invoice does not ask for (it was paid otherwise, credited or voided) is added to the
    customer's balance. Raises ``NotFound``.
    """
    row = await lock_invoice(connection, tenant_id, invoice_id)
    if await _is_recorded(connection, row, method, reference):
        return False
    await receive(connection, row, amount, method, reference, received_at, now)
    return True


async def receive_refund(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    invoice_id: str,
    amount: Decimal,
    method: str,
    reference: str,
    now: datetime,
) -> bool:
    """Record money that was paid back for an invoice; return whether it is new.

    It is taken from the customer's balance. Where that holds less, the invoice is credited by the
    amount first, which adds it there. An invoice that is not paid in full would be credited what it
    still asks for instead: what was paid of it is lowered with what it asks for in all, and as much
    stays due as before. Raises ``NotFound``; ``Conflict`` or ``InvalidInput`` where no credit note
    of that total can be written: then nothing is recorded.
    """
    await unbilled(connection, tenant.id, lock=True)  # nobody else draws on the balance meanwhile
    row = await lock_invoice(connection, tenant.id, invoice_id)
    if await _is_recorded(connection, row, method, reference):
        return False
    rows = [payment_row(row, -amount, method, reference, now)]
    balance = (await balances_of(connection, [tenant.id])).get(tenant.id, ZERO)
    asked = due(InvoiceState(row["state"]), Balance(row["total"], row["paid"], row["credited"]))
    if balance >= amount or not asked:
        rows.append(payment_row(row, amount, BALANCE, f"{method} {reference}", now))
    elif row["paid"] - (await given_part(connection, tenant, row)).left >= amount:
        await reopen(connection, row, row["paid"] - amount)
    else:
        raise BalancePaidOut()
    if balance < amount:
        reason = f"Refunded by {method}, {reference}"
        key = f"refund {method} {reference}"
        await credit_total(
            connection, settings, tenant, invoice_id, amount, reason, now, idempotency_key=key
        )
        after = (await balances_of(connection, [tenant.id])).get(tenant.id, ZERO)
        if not asked and after < amount:  # what credit was given for is no money
            raise BalancePaidOut()
    await connection.execute(insert(payments), rows)
    return True


async def hold_dunning(
    connection: AsyncConnection, tenant_id: str, invoice_id: str, cause: str, now: datetime
) -> None:
    """Send no reminder of an invoice, and suspend nobody for it, until the cause is over."""
    row = {"tenant_id": tenant_id, "invoice_id": invoice_id, "cause": cause, "since": now}
    await connection.execute(upsert(dunning_holds).values(row).on_conflict_do_nothing())


async def release_dunning(
    connection: AsyncConnection, tenant_id: str, invoice_id: str, cause: str
) -> None:
    """Let dunning go on as far as this cause held it."""
    await connection.execute(
        delete(dunning_holds).where(
            dunning_holds.c.tenant_id == tenant_id,
            dunning_holds.c.invoice_id == invoice_id,
            dunning_holds.c.cause == cause,
        )
    )


async def _is_recorded(
    connection: AsyncConnection, row: RowMapping, method: str, reference: str
) -> bool:
    query = select(payments.c.id).where(
        payments.c.tenant_id == row["tenant_id"],
        payments.c.invoice_id == row["id"],
        payments.c.method == method,
        payments.c.reference == reference,
    )
    return await connection.scalar(query) is not None
