"""Invoices."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client._async.sender import AsyncSender
from backend_client.calls import (
    Call,
    create,
    delete,
    get,
    get_bytes,
    get_text,
    path,
    post,
    send,
    whole_list,
)
from backend_client.queries import query
from backend_client.types.balance import AccountBalance
from backend_client.types.common import Page
from backend_client.types.invoice_items import InvoiceItem, InvoiceItemCreate
from backend_client.types.invoices import (
    ApplyToInvoice,
    BalanceRefund,
    CreditNote,
    CreditNoteCreate,
    CreditNoteReversal,
    EInvoiceFormat,
    Invoice,
    InvoiceRun,
    InvoiceSummary,
    LineEvent,
    LineEvents,
    OneOffInvoiceCreate,
    PaymentRecord,
    PaymentRefund,
    PaymentReturn,
    VoidInvoice,
)


class AsyncLineEventPager(AsyncPager[LineEvent]):
    """The events behind a line; ``page`` also says of which days others are archived."""

    def __init__(self, sender: AsyncSender, call: Call[LineEvents]) -> None:
        super().__init__(sender, call)
        self._events = call

    async def page(self) -> LineEvents:
        """Fetch one page: the first, or the one that ``cursor`` named."""
        return await self._sender.send(self._events)


class AsyncInvoicesResource(AsyncResource):
    """Invoices, from draft to paid. ``tenant`` is another's id or slug; for the operator."""

    def list(
        self, *, tenant: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[InvoiceSummary]:
        """List the invoices, newest first; the draft of the next one goes before."""
        at = path("invoices", tenant=tenant)
        call = get(at, Page[InvoiceSummary], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def balance(self, *, tenant: str | None = None) -> AccountBalance:
        """Get the customer's balance, and what its open invoices still ask for."""
        return await self._sender.send(get(path("balance", tenant=tenant), AccountBalance))

    async def get(self, invoice_id: str, *, tenant: str | None = None) -> Invoice:
        """Get an invoice with its lines, payments and credit notes."""
        return await self._sender.send(get(path("invoices", invoice_id, tenant=tenant), Invoice))

    async def pdf(self, invoice_id: str) -> bytes:
        """Get an invoice as PDF, as it was issued."""
        return await self._sender.send(get_bytes(path("invoices", invoice_id, suffix=".pdf")))

    async def csv(self, invoice_id: str) -> str:
        """Get an invoice's lines as CSV."""
        return await self._sender.send(get_text(path("invoices", invoice_id, suffix=".csv")))

    async def e_invoice(
        self,
        invoice_id: str,
        *,
        format: EInvoiceFormat,  # noqa: A002 - as the API calls it
        tenant: str | None = None,
    ) -> bytes:
        """Get an invoice as an e-invoice: XML, or the PDF that has it inside."""
        at = path("invoices", invoice_id, "e-invoice", tenant=tenant)
        return await self._sender.send(get_bytes(at, query(format=format)))

    async def credit_note_e_invoice(
        self,
        invoice_id: str,
        credit_note_id: str,
        *,
        format: EInvoiceFormat,  # noqa: A002 - as the API calls it
        tenant: str | None = None,
    ) -> bytes:
        """Get a credit note of an invoice as an e-invoice, XML."""
        at = path(
            "invoices", invoice_id, "credit-notes", credit_note_id, "e-invoice", tenant=tenant
        )
        return await self._sender.send(get_bytes(at, query(format=format)))

    def line_events(
        self, invoice_id: str, line: int, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncLineEventPager:
        """List the events behind a line, by time."""
        at = path("invoices", invoice_id, "lines", line, "events")
        call = get(at, LineEvents, query(limit=limit, cursor=cursor))
        return AsyncLineEventPager(self._sender, call)

    async def finalize(self, invoice_id: str, *, tenant: str) -> Invoice:
        """Finalize a draft before its grace is over; for the operator."""
        at = path("invoices", invoice_id, "finalize", tenant=tenant)
        return await self._sender.send(post(at, Invoice, repeatable=True))

    async def void(self, invoice_id: str, void: VoidInvoice, *, tenant: str) -> Invoice:
        """Declare an unpaid invoice void, and issue it again if asked; for the operator."""
        at = path("invoices", invoice_id, "void", tenant=tenant)
        return await self._sender.send(send("POST", at, void, Invoice, repeatable=True))

    async def create(self, invoice: OneOffInvoiceCreate, *, tenant: str) -> Invoice:
        """Issue an invoice of lines of your own, such as a set-up fee; for the operator."""
        return await self._sender.send(create(path("invoices", tenant=tenant), invoice, Invoice))

    def items(
        self, *, tenant: str, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[InvoiceItem]:
        """List the lines for the next invoice, newest first, taken ones too; for the operator."""
        call = get(
            path("invoice-items", tenant=tenant),
            Page[InvoiceItem],
            query(limit=limit, cursor=cursor),
        )
        return AsyncPager(self._sender, call)

    async def add_item(self, item: InvoiceItemCreate, *, tenant: str) -> InvoiceItem:
        """Put a line on the next invoice; below zero it is a credit; for the operator."""
        return await self._sender.send(
            create(path("invoice-items", tenant=tenant), item, InvoiceItem)
        )

    async def remove_item(self, item_id: str, *, tenant: str) -> None:
        """Remove a line that no invoice has taken; for the operator."""
        at = path("invoice-items", item_id, tenant=tenant)
        await self._sender.send(delete(at, repeatable=True))

    async def write_off(self, invoice_id: str, *, tenant: str) -> Invoice:
        """Mark an invoice as uncollectible; for the operator."""
        at = path("invoices", invoice_id, "write-off", tenant=tenant)
        return await self._sender.send(post(at, Invoice, repeatable=True))

    async def record_payment(
        self, invoice_id: str, payment: PaymentRecord, *, tenant: str
    ) -> Invoice:
        """Record money that came in, once a method and reference; for the operator."""
        at = path("invoices", invoice_id, "payments", tenant=tenant)
        return await self._sender.send(send("POST", at, payment, Invoice, repeatable=True))

    async def return_payment(
        self, invoice_id: str, payment_id: str, payment_return: PaymentReturn, *, tenant: str
    ) -> Invoice:
        """Record that a bank took a payment back: the invoice is open again; for the operator."""
        at = path("invoices", invoice_id, "payments", payment_id, "return", tenant=tenant)
        return await self._sender.send(send("POST", at, payment_return, Invoice, repeatable=True))

    async def refund_payment(
        self, invoice_id: str, payment_id: str, refund: PaymentRefund, *, tenant: str
    ) -> Invoice:
        """Record money that was paid back of a payment; for the operator."""
        at = path("invoices", invoice_id, "payments", payment_id, "refund", tenant=tenant)
        return await self._sender.send(send("POST", at, refund, Invoice, repeatable=True))

    async def apply(self, invoice_id: str, apply: ApplyToInvoice, *, tenant: str) -> Invoice:
        """Let the balance or bought credit pay an open invoice now; for the operator."""
        at = path("invoices", invoice_id, "apply", tenant=tenant)
        return await self._sender.send(create(at, apply, Invoice))

    async def refund_balance(self, refund: BalanceRefund, *, tenant: str) -> AccountBalance:
        """Record that a customer's balance was paid out; for the operator."""
        at = path("balance", "refunds", tenant=tenant)
        return await self._sender.send(send("POST", at, refund, AccountBalance, repeatable=True))

    async def create_credit_note(
        self, invoice_id: str, credit_note: CreditNoteCreate, *, tenant: str
    ) -> CreditNote:
        """Credit an invoice or lines of it; for the operator."""
        at = path("invoices", invoice_id, "credit-notes", tenant=tenant)
        return await self._sender.send(create(at, credit_note, CreditNote))

    def credit_notes(
        self, *, tenant: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[CreditNote]:
        """List the credit notes, newest first."""
        at = path("credit-notes", tenant=tenant)
        return AsyncPager(
            self._sender, get(at, Page[CreditNote], query(limit=limit, cursor=cursor))
        )

    async def credit_note(self, credit_note_id: str) -> CreditNote:
        """Get a credit note."""
        return await self._sender.send(get(path("credit-notes", credit_note_id), CreditNote))

    async def credit_note_pdf(self, credit_note_id: str) -> bytes:
        """Get a credit note as PDF."""
        at = path("credit-notes", credit_note_id, suffix=".pdf")
        return await self._sender.send(get_bytes(at))

    async def credit_note_csv(self, credit_note_id: str) -> str:
        """Get what a credit note takes off each line as CSV."""
        at = path("credit-notes", credit_note_id, suffix=".csv")
        return await self._sender.send(get_text(at))

    async def reverse_credit_note(
        self, credit_note_id: str, reversal: CreditNoteReversal, *, tenant: str
    ) -> Invoice:
        """Take back a wrong credit note by an invoice of what it took off; for the operator."""
        at = path("credit-notes", credit_note_id, "reverse", tenant=tenant)
        return await self._sender.send(send("POST", at, reversal, Invoice, repeatable=True))


class AsyncInvoiceRunsResource(AsyncResource):
    """Runs that close all tenants' periods; for the operator."""

    def list(self) -> AsyncPager[InvoiceRun]:
        """List the last invoice runs, and how far each is."""
        return AsyncPager(self._sender, whole_list(path("invoice-runs"), InvoiceRun))
