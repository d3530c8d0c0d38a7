"""How much of an invoice was paid by credit that was given away; the rest is money."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Row, RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.money import ZERO
from backend.storage.tables import credit_notes, payments
from backend.wallets.given import GivenCredit, given_credit
from backend_client.types.accounts import Tenant


class GivenPart(NamedTuple):
    """What ``credit`` paid of an invoice, and how much is ``left`` of that after credit notes.

    ``taken`` are the payments by which invoices below zero returned of it since, each below zero.
    """

    credit: GivenCredit
    left: Decimal
    taken: list[Row[str, str, Decimal]]


async def given_part(connection: AsyncConnection, tenant: Tenant, row: RowMapping) -> GivenPart:
    """Return the part of a locked invoice that credit paid which nobody had paid for."""
    query = select(credit_notes.c.id, credit_notes.c.to_credit).where(
        credit_notes.c.tenant_id == row["tenant_id"], credit_notes.c.invoice_id == row["id"]
    )
    notes = (await connection.execute(query)).all()
    by_invoices = select(payments.c.id, payments.c.method, payments.c.amount).where(
        payments.c.tenant_id == row["tenant_id"],
        payments.c.invoice_id != row["id"],
        payments.c.reference == row["number"],
        payments.c.amount < 0,
    )
    taken = list(await connection.execute(by_invoices))
    acts = [act.id for act in (*notes, *taken)]
    given = await given_credit(connection, tenant, row["id"], acts)
    went_back = sum((note.to_credit for note in notes), ZERO)
    return GivenPart(given, min(given.amount - went_back, row["paid"]), taken)
