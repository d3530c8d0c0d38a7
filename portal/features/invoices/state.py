"""The invoices page: the list, and one invoice with its lines."""

from __future__ import annotations

from urllib.parse import urlencode

import reflex as rx

from backend_client.types.invoices import Invoice, InvoiceState
from portal.features.invoices.rows import (
    CreditNoteRow,
    InvoiceLineRow,
    SumRow,
    credit_note_row,
    invoice_note,
    line_rows,
    owed_note,
    sum_rows,
)
from portal.kit.choice import Choice
from portal.kit.color import Color
from portal.kit.formatting import money
from portal.kit.vars import computed
from portal.session.guard import PLANNERS, SPENDERS, Caller, NextEvents, may_change, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.invoices import InvoiceRow, invoice_row


class Invoices(PageState, Session):
    """All invoices; ``opened`` is the id of the one that is shown, empty for the list."""

    invoices: list[InvoiceRow] = []
    all_credit_notes: list[CreditNoteRow] = []
    opened: str = ""
    name: str = ""
    status: str = ""
    color: Color = "gray"
    period_name: str = ""
    total: str = ""
    note: str = ""
    customer: str = ""
    payable: bool = False
    issued: bool = False
    collected: bool = False
    balance: str = ""
    owed: str = ""
    owed_note: str = ""
    lines: list[InvoiceLineRow] = []
    sums: list[SumRow] = []
    credit_notes: list[Choice] = []

    @computed
    def query(self) -> str:
        """The opened invoice, as the query of an address."""
        return urlencode({"invoice": self.opened}) if self.opened else ""

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
        notes = await caller.client.invoices.credit_notes().all()
        account = await caller.client.invoices.balance()
        invoice = await caller.client.invoices.get(invoice_id) if invoice_id else None
        pays = may_change(caller.me, PLANNERS)
        platform = (await caller.client.payments.options()).platform if pays else None
        async with self:
            self.invoices = rows
            zone = caller.me.tenant.time_zone
            self.all_credit_notes = [credit_note_row(note, zone) for note in notes]
            self.collected = platform is not None
            self.owed = money(account.owed.amount, account.owed.currency)
            self.balance = money(account.balance.amount, account.balance.currency)
            self.owed_note = owed_note(account, caller.me.tenant.time_zone)
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

    @signed_in(roles=PLANNERS)
    async def pay(self, caller: Caller) -> NextEvents:
        """Go on to the page on which the invoice is paid."""
        return rx.redirect((await caller.client.payments.invoice_link(self.opened)).url)

    def _show_invoice(self, invoice: Invoice) -> None:
        row = invoice_row(invoice)
        self.opened = invoice.id
        self.name, self.status, self.color = row.name, row.state, row.color
        self.period_name, self.total = row.period, row.total
        self.note = invoice_note(invoice)
        self.issued = invoice.number is not None and invoice.state is not InvoiceState.VOID
        self.payable = self.collected and invoice.number is not None and invoice.due.amount > 0
        self.customer = ", ".join([invoice.customer.name, *invoice.customer.address])
        self.lines = line_rows(invoice)
        self.sums = sum_rows(invoice)
        self.credit_notes = [Choice(note.id, note.number) for note in invoice.credit_notes]
