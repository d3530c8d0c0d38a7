"""Invoices on Stripe: made once with our lines, compared, finalized, and followed to their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from backend.platforms.adapter import Attempt
from backend.platforms.documents import InvoiceDocument
from backend.platforms.stripe.amounts import check_collectable, from_minor, to_minor
from backend.platforms.stripe.calls import Json, StripeCalls, find_own
from backend.platforms.stripe.customers import StripeCustomers
from backend.platforms.stripe.forms import Form
from backend.platforms.stripe.lines import line_forms
from backend.platforms.stripe.mapping import invoice_form, same_as_ours

_LINES_A_CALL: Final = 50
_SPREAD: Final = timedelta(hours=1)
"""How far Stripe's clock may be from ours when something is looked up by its time."""


@dataclass(frozen=True, slots=True)
class StripeInvoices:
    """Pushes invoices. Whatever was sent before is looked at first, so that nothing is twice."""

    calls: StripeCalls
    customers: StripeCustomers

    async def push(self, invoice: InvoiceDocument, customer: str, attempt: Attempt) -> str:
        """Create an invoice with our lines, compare what it asks for, and finalize it."""
        check_collectable(invoice.total - invoice.paid, invoice.currency)
        draft, fresh = await self._draft(invoice, customer, attempt)
        remote_id = str(draft["id"])
        if draft["status"] == "draft":
            there = set() if fresh else await self._lines_there(remote_id)
            lines = [line for line in line_forms(invoice) if line.number not in there]
            for start in range(0, len(lines), _LINES_A_CALL):
                part = lines[start : start + _LINES_A_CALL]
                form: Form = {"lines": [line.form for line in part]}
                key = attempt.key("lines", invoice.id, remote_id, str(part[0].number))
                draft = await self.calls.post(f"/v1/invoices/{remote_id}/add_lines", form, key)
            same_as_ours(invoice, draft)
            form = {"auto_advance": not invoice.paid}
            key = attempt.key("finalize", invoice.id, remote_id)
            draft = await self.calls.post(f"/v1/invoices/{remote_id}/finalize", form, key)
        if draft["status"] == "open" and invoice.paid:
            await self.settle(invoice, customer, remote_id, attempt)
            if invoice.paid < invoice.total:
                form = {"auto_advance": True}
                await self.calls.post(f"/v1/invoices/{remote_id}", form, None)
        return remote_id

    async def settle(
        self, invoice: InvoiceDocument, customer: str, remote_id: str, attempt: Attempt
    ) -> None:
        """Report what was paid elsewhere, as far as Stripe does not have it."""
        reported = Decimal(await attempt.memory.recall("paid_elsewhere", invoice.id) or 0)
        amount = invoice.paid - reported
        remote = await self.calls.get(f"/v1/invoices/{remote_id}")
        if amount <= 0 or remote["status"] not in {"open", "uncollectible"}:
            return
        amount = min(amount, from_minor(remote["amount_remaining"], invoice.currency))
        of_step = (invoice.id, str(invoice.paid))
        if to_minor(amount, invoice.currency) == remote["amount_remaining"]:
            form: dict[str, Any] = {"paid_out_of_band": True}
            key = attempt.key("pay", *of_step)
            await self.calls.post(f"/v1/invoices/{remote_id}/pay", form, key)
        else:
            record = await self._report(invoice, customer, amount, attempt.key("record", *of_step))
            form, key = {"payment_record": record}, attempt.key("attach", *of_step)
            await self.calls.post(f"/v1/invoices/{remote_id}/attach_payment", form, key)
        await attempt.memory.remember("paid_elsewhere", invoice.id, str(reported + amount))

    async def void(self, remote_id: str, attempt: Attempt) -> None:
        """Void an invoice, or delete it if it is a draft still."""
        remote = await self.calls.get(f"/v1/invoices/{remote_id}")
        if remote["status"] == "draft":
            await self.calls.delete(f"/v1/invoices/{remote_id}")
        elif remote["status"] != "void":
            key = attempt.key("void", remote_id)
            await self.calls.post(f"/v1/invoices/{remote_id}/void", {}, key)

    async def write_off(self, remote_id: str, attempt: Attempt) -> None:
        """Mark an invoice as uncollectible."""
        remote = await self.calls.get(f"/v1/invoices/{remote_id}")
        if remote["status"] == "open":
            key = attempt.key("write-off", remote_id)
            await self.calls.post(f"/v1/invoices/{remote_id}/mark_uncollectible", {}, key)

    async def _draft(
        self, invoice: InvoiceDocument, customer: str, attempt: Attempt
    ) -> tuple[Json, bool]:
        """Return the invoice on Stripe, and whether it is new, without lines."""
        remote_id = await attempt.memory.recall("invoice", invoice.id)
        if remote_id is None and attempt.look_up:
            since = attempt.since or invoice.issued_at
            created = {"gte": int((since - _SPREAD).timestamp())}
            query: Form = {"customer": customer, "created": created}
            remote_id = await find_own(self.calls, "/v1/invoices", query, invoice.id)
        if remote_id is not None:
            await attempt.memory.remember("invoice", invoice.id, remote_id)
            return await self.calls.get(f"/v1/invoices/{remote_id}"), False
        charge = invoice.total > 0 and await self.customers.saved_method(customer) is not None
        form = invoice_form(invoice, customer, charge=charge)
        key = attempt.key("invoice", invoice.id)
        draft, fresh = await self.calls.create("/v1/invoices", form, key)
        await attempt.memory.remember("invoice", invoice.id, str(draft["id"]))
        if not fresh:  # the answer that Stripe kept is of then: much may have been done since
            draft = await self.calls.get(f"/v1/invoices/{draft['id']}")
        return draft, fresh

    async def _lines_there(self, remote_id: str) -> set[int]:
        """Return the numbers of our lines that a draft has already."""
        lines = self.calls.all(f"/v1/invoices/{remote_id}/lines")
        return {int(line["metadata"].get("farebox_line", 0)) async for line in lines}

    async def _report(
        self, invoice: InvoiceDocument, customer: str, amount: Decimal, key: str
    ) -> str:
        at = int(invoice.issued_at.timestamp())
        form: Form = {
            "amount_requested": {
                "currency": invoice.currency.lower(),
                "value": to_minor(amount, invoice.currency),
            },
            "customer_details": {"customer": customer},
            "initiated_at": at,
            "outcome": "guaranteed",
            "guaranteed": {"guaranteed_at": at},
            "payment_method_details": {
                "type": "custom",
                "custom": {"display_name": "Paid to the seller"},
            },
            "metadata": {"farebox_invoice": invoice.id},
        }
        record = await self.calls.post("/v1/payment_records/report_payment", form, key)
        return str(record["id"])
