"""The invoices page: the list, and one invoice with its lines."""

from __future__ import annotations

from backend_client.types.invoices import Invoice
from portal.features.invoices.rows import (
    InvoiceLineRow,
    InvoiceRow,
    SumRow,
    invoice_note,
    invoice_row,
    line_rows,
    sum_rows,
)
from portal.kit.color import Color
from portal.session.guard import SPENDERS, Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session


class Invoices(PageState, Session):
    """All invoices; ``opened`` is the id of the one that is shown, empty for the list."""

    invoices: list[InvoiceRow] = []
    opened: str = ""
    name: str = ""
    status: str = ""
    color: Color = "gray"
    period_name: str = ""
    total: str = ""
    note: str = ""
    customer: str = ""
    lines: list[InvoiceLineRow] = []
    sums: list[SumRow] = []

    @signed_in(roles=SPENDERS, background=True)
    async def load(self, caller: Caller) -> None:
        """Load the list; or the invoice that the address names, as a reminder's link does."""
        await self._load(caller, self.router.url.query_parameters.get("invoice", ""))

    @signed_in(roles=SPENDERS, background=True)
    async def refresh(self, caller: Caller) -> None:
        """Load what is shown again: what was changed may have changed the draft."""
        await self._load(caller, self.opened)

    async def _load(self, caller: Caller, invoice_id: str) -> None:
        rows = [invoice_row(invoice) for invoice in await caller.client.invoices.list().all()]
        invoice = await caller.client.invoices.get(invoice_id) if invoice_id else None
        async with self:
            self.invoices = rows
            self.opened = ""
            if invoice is not None:
                self._show_invoice(invoice)
            self._ready()

    @signed_in(roles=SPENDERS)
    async def open_invoice(self, caller: Caller, invoice_id: str) -> None:
        """Show an invoice."""
        self._show_invoice(await caller.client.invoices.get(invoice_id))

    @signed_in(roles=SPENDERS)
    async def close_invoice(self, caller: Caller) -> None:
        """Go back to the list."""
        self.opened = ""

    def _show_invoice(self, invoice: Invoice) -> None:
        row = invoice_row(invoice)
        self.opened = invoice.id
        self.name, self.status, self.color = row.name, row.state, row.color
        self.period_name, self.total = row.period, row.total
        self.note = invoice_note(invoice)
        self.customer = ", ".join([invoice.customer.name, *invoice.customer.address])
        self.lines = line_rows(invoice)
        self.sums = sum_rows(invoice)
