"""Leave it to the next invoice to bill anew what a void one asked for."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.invoices.drafts.billing_cursors import Unbilled
from backend.invoices.drafts.items import give_items_back
from backend.invoices.errors import InvoiceNotBillableAgain
from backend.invoices.rules.lines import INVOICED_BEFORE, ITEM
from backend.settings import Settings
from backend.storage.tables import billed_periods, invoice_lines, invoices
from backend_client.types.invoices import InvoiceKind

_NO_MARK = ""
"""The mark of no usage: what was rated last differs from it, so the period is rated again."""


async def bill_again(
    connection: AsyncConnection,
    settings: Settings,
    row: RowMapping,
    coming: Unbilled | None,
    now: datetime,
) -> None:
    """Let the draft that is ``coming`` bill the periods of a void invoice as late usage is billed.

    The void invoice counts as replaced by it. Raises ``Conflict`` where the draft would not bill
    all of it, or what else was billed a second time.
    """
    lines = select(
        invoice_lines.c.kind,
        invoice_lines.c.period_start,
        invoice_lines.c.item,
        invoice_lines.c.amount,
    ).where(invoice_lines.c.tenant_id == row["tenant_id"], invoice_lines.c.invoice_id == row["id"])
    of_invoice = (await connection.execute(lines)).all()
    items = [(line.item, line.amount) for line in of_invoice if line.kind == ITEM]
    starts = {line.period_start for line in of_invoice if line.kind != ITEM}
    if coming is None or row["kind"] not in (InvoiceKind.PERIOD, InvoiceKind.PROGRESSIVE):
        raise InvoiceNotBillableAgain("Its lines are of no billing period: issue it again.")
    if any(line.kind == INVOICED_BEFORE for line in of_invoice):
        raise InvoiceNotBillableAgain("A part of its period was invoiced before: issue it again.")
    running = row["kind"] == InvoiceKind.PROGRESSIVE and row["period_start"] == coming.period.start
    if row["kind"] == InvoiceKind.PROGRESSIVE and not running:
        raise InvoiceNotBillableAgain("Its period was closed by another invoice: issue it again.")
    if not running:
        oldest = now - timedelta(days=settings.event_max_age_days)
        reset = await connection.execute(
            update(billed_periods)
            .where(
                billed_periods.c.tenant_id == row["tenant_id"],
                billed_periods.c.period_start.in_(starts),
                billed_periods.c.period_end >= oldest,
            )
            .values(usage_mark=_NO_MARK)
            .returning(billed_periods.c.period_start)
        )
        if set(reset.scalars()) != starts:
            raise InvoiceNotBillableAgain("It bills a time that no invoice reaches back to.")
    await give_items_back(connection, row["tenant_id"], items)
    await connection.execute(
        update(invoices)
        .where(invoices.c.tenant_id == row["tenant_id"], invoices.c.id == row["id"])
        .values(replaced_by=coming.draft_id)
    )
