"""The customer's invoices, and what the operator alone does with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend_client.types.common import plain
from portal.features.customer.invoices.forms import (
    acts_on,
    credit_note_from,
    item_from,
    payment_from,
    void_from,
)
from portal.features.customer.state import LOADS, CustomerPage
from portal.kit.choice import Choice
from portal.kit.formatting import money
from portal.session.guard import Caller, NextEvents, signed_in
from portal.shared.invoices import InvoiceRow, invoice_row

PAGE = 50


@dataclass(frozen=True)
class ActedOn:
    """An invoice with what may be done with it now."""

    invoice: InvoiceRow
    finalize: bool = False
    payment: bool = False
    credit: bool = False
    void: bool = False
    write_off: bool = False


@dataclass(frozen=True)
class ItemRow:
    """A line that waits for the next invoice."""

    id: str
    name: str
    amount: str


class InvoicesTab(CustomerPage):
    """The newest invoices. ``due`` is what the opened one still asks for, ``lines`` its lines."""

    invoices: list[ActedOn] = []
    items: list[ItemRow] = []
    owed: str = ""
    balance: str = ""
    due: str = ""
    lines: list[Choice] = []

    @signed_in(operator=True, background=True)
    async def load(self, caller: Caller) -> None:
        """Load the invoices and what is owed."""
        tenant = self._wanted
        listed = await caller.client.invoices.list(tenant=tenant, limit=PAGE).page()
        account = await caller.client.invoices.balance(tenant=tenant)
        items = await caller.client.invoices.items(tenant=tenant, limit=PAGE).page()
        async with self:
            if self._is_about_another(tenant):
                return
            self.invoices = [
                ActedOn(invoice_row(invoice), **dict.fromkeys(acts_on(invoice), True))
                for invoice in listed.items
            ]
            self.items = [
                ItemRow(item.id, item.name, money(item.left.amount, item.left.currency))
                for item in items.items
                if item.state == "pending"
            ]
            self.owed = money(account.owed.amount, account.owed.currency)
            self.balance = money(account.balance.amount, account.balance.currency)
            self._show("invoices")

    @signed_in(operator=True)
    async def ask(self, caller: Caller, dialog: str, invoice_id: str) -> None:
        """Open the dialog that pays, credits or voids an invoice."""
        if dialog not in ("payment", "credit", "void"):
            return
        invoice = await caller.client.invoices.get(invoice_id, tenant=self._wanted)
        self._open(dialog, invoice.id, invoice.number or "")
        self.due = plain(invoice.due.amount)
        self.lines = [
            Choice(
                str(line.line),
                f"{line.line}: {line.name}, {money(line.amount.amount, line.amount.currency)}",
            )
            for line in invoice.lines
        ]

    @signed_in(operator=True)
    async def open_item(self, caller: Caller) -> None:
        """Ask what to put on the next invoice."""
        self._open("item")

    @signed_in(operator=True)
    async def add_item(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Put a line on the next invoice."""

        async def act() -> str:
            wanted = item_from(form, self.customer.time_zone)
            item = await caller.client.invoices.add_item(wanted, tenant=self._wanted)
            amount = money(item.amount.amount, item.amount.currency)
            return f"{item.name}, {amount}, is on the next invoice."

        return await self._try(act, InvoicesTab.load)

    @signed_in(operator=True)
    async def remove_item(self, caller: Caller, item_id: str) -> NextEvents:
        """Take a line off the next invoice."""

        async def act() -> str:
            await caller.client.invoices.remove_item(item_id, tenant=self._wanted)
            return "The line is removed."

        return await self._try(act, InvoicesTab.load)

    @signed_in(operator=True)
    async def finalize(self, caller: Caller, invoice_id: str) -> NextEvents:
        """Issue a draft before its time."""

        async def act() -> str:
            issued = await caller.client.invoices.finalize(invoice_id, tenant=self._wanted)
            return f"{issued.number} is issued."

        return await self._try(act, InvoicesTab.load)

    @signed_in(operator=True)
    async def write_off(self, caller: Caller, invoice_id: str) -> NextEvents:
        """Give up collecting an invoice."""

        async def act() -> str:
            invoice = await caller.client.invoices.write_off(invoice_id, tenant=self._wanted)
            return f"{invoice.number} is written off."

        return await self._try(act, InvoicesTab.load)

    @signed_in(operator=True)
    async def record_payment(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Record money that came in for the opened invoice."""

        async def act() -> str:
            payment = payment_from(form, self.customer.time_zone)
            paid = await caller.client.invoices.record_payment(
                self.about_id, payment, tenant=self._wanted
            )
            left = money(paid.due.amount, paid.due.currency)
            return f"The payment is recorded; {left} of {paid.number} is left to pay."

        return await self._try(act, InvoicesTab.load)

    @signed_in(operator=True)
    async def credit(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Credit the opened invoice, or a line of it."""

        async def act() -> str:
            note = await caller.client.invoices.create_credit_note(
                self.about_id, credit_note_from(form), tenant=self._wanted
            )
            total = money(note.total.amount, note.total.currency)
            return f"Credit note {note.number} over {total} is issued."

        return await self._try(act, InvoicesTab.load)

    @signed_in(operator=True)
    async def void(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Declare the opened invoice void, and issue it again if asked."""

        async def act() -> str:
            wanted = void_from(form)
            await caller.client.invoices.void(self.about_id, wanted, tenant=self._wanted)
            again = ", and issued again" if wanted.reissue else ""
            return f"{self.about} is void{again}."

        return await self._try(act, InvoicesTab.load)


LOADS["invoices"] = InvoicesTab.load
