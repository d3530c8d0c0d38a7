"""Invoices."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client._async.sender import AsyncSender
from backend_client.calls import (
    Call,
    create,
    get,
    get_bytes,
    get_text,
    path,
    post,
    send,
    whole_list,
)
from backend_client.queries import query
from backend_client.types.common import Page
from backend_client.types.invoices import (
    CreditNote,
    CreditNoteCreate,
    Invoice,
    InvoiceRun,
    InvoiceSummary,
    LineEvent,
    LineEvents,
    PaymentRecord,
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

    async def get(self, invoice_id: str, *, tenant: str | None = None) -> Invoice:
        """Get an invoice with its lines, payments and credit notes."""
        return await self._sender.send(get(path("invoices", invoice_id, tenant=tenant), Invoice))

    async def pdf(self, invoice_id: str) -> bytes:
        """Get an invoice as PDF, as it was issued."""
        return await self._sender.send(get_bytes(path("invoices", invoice_id, suffix=".pdf")))

    async def csv(self, invoice_id: str) -> str:
        """Get an invoice's lines as CSV."""
        return await self._sender.send(get_text(path("invoices", invoice_id, suffix=".csv")))

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

    async def create_credit_note(
        self, invoice_id: str, credit_note: CreditNoteCreate, *, tenant: str
    ) -> CreditNote:
        """Credit an invoice or lines of it; for the operator."""
        at = path("invoices", invoice_id, "credit-notes", tenant=tenant)
        return await self._sender.send(create(at, credit_note, CreditNote))


class AsyncInvoiceRunsResource(AsyncResource):
    """Runs that close all tenants' periods; for the operator."""

    def list(self) -> AsyncPager[InvoiceRun]:
        """List the last invoice runs, and how far each is."""
        return AsyncPager(self._sender, whole_list(path("invoice-runs"), InvoiceRun))
