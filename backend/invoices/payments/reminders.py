"""Dunning: overdue invoices take the steps whose day has come, each once."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, exists, not_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.clocks import acted_on
from backend.customers.dunning import steps_reached
from backend.invoices.rules.notices import overdue_notice
from backend.outbox.queue import enqueue_notices
from backend.settings import Settings
from backend.storage.tables import dunning_holds, invoice_reminders, invoices
from backend_client.types.invoices import InvoiceState


class StepTaken(NamedTuple):
    """A step that an invoice has just reached."""

    tenant_id: str
    invoice_id: str
    step: str


async def remind(
    connection: AsyncConnection, settings: Settings, now: datetime, *, only: str | None = None
) -> list[StepTaken]:
    """Take every dunning step that is reached and not taken; return them.

    Or those of ``only`` one tenant, also one on a test clock.

    Several workers may do this at once: each step of an invoice is returned to one of them.
    """
    if not settings.dunning:
        return []
    overdue = and_(
        invoices.c.state == InvoiceState.FINALIZED.value,
        invoices.c.due_at <= now,
        acted_on(invoices.c.tenant_id, only),
        not_(
            exists().where(
                dunning_holds.c.tenant_id == invoices.c.tenant_id,
                dunning_holds.c.invoice_id == invoices.c.id,
            )
        ),
    )
    steps = select(
        invoice_reminders.c.tenant_id, invoice_reminders.c.invoice_id, invoice_reminders.c.step
    ).join(
        invoices,
        and_(
            invoices.c.tenant_id == invoice_reminders.c.tenant_id,
            invoices.c.id == invoice_reminders.c.invoice_id,
        ),
    )
    taken = {StepTaken(*row) for row in await connection.execute(steps.where(overdue))}
    query = select(invoices.c.tenant_id, invoices.c.id, invoices.c.due_at).where(overdue)
    reached = [
        {"tenant_id": tenant_id, "invoice_id": invoice_id, "step": step, "at": now}
        for tenant_id, invoice_id, due_at in await connection.execute(query)
        for step in steps_reached(due_at, now, settings.dunning)
        if StepTaken(tenant_id, invoice_id, step) not in taken
    ]
    if not reached:
        return []
    rows = await connection.execute(
        insert(invoice_reminders)
        .values(reached)
        .on_conflict_do_nothing()
        .returning(
            invoice_reminders.c.tenant_id,
            invoice_reminders.c.invoice_id,
            invoice_reminders.c.step,
        )
    )
    new = [StepTaken(*row) for row in rows]
    await _enqueue(connection, new, now)
    return new


async def _enqueue(connection: AsyncConnection, steps: list[StepTaken], now: datetime) -> None:
    key = tuple_(invoices.c.tenant_id, invoices.c.id)
    query = select(invoices).where(key.in_([(step.tenant_id, step.invoice_id) for step in steps]))
    rows = {
        (row["tenant_id"], row["id"]): row for row in (await connection.execute(query)).mappings()
    }
    await enqueue_notices(
        connection,
        [overdue_notice(rows[step.tenant_id, step.invoice_id], step.step, now) for step in steps],
    )
