"""Finished invoices on Orb: drafted with our lines, compared with ours, and issued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from backend.platforms.adapter import Attempt, Refused
from backend.platforms.documents import CreditNoteDocument, InvoiceDocument
from backend.platforms.orb.calls import Json, OrbCalls, Query
from backend.platforms.orb.catalog import OrbCatalog
from backend.platforms.orb.credit_notes import credit_note_body, own_note
from backend.platforms.orb.mapping import (
    ALL_STATES,
    OPEN,
    invoice_body,
    paid_before,
    remote_invoice,
    stamp,
    why_not_ours,
)
from backend_client.types.common import plain

_AROUND = timedelta(days=2)
"""How far an invoice's date on Orb may be from ours, which is a day of the customer's."""


@dataclass(frozen=True, slots=True)
class OrbInvoices:
    """Pushes invoices and credit notes, and follows what becomes of them here."""

    calls: OrbCalls
    catalog: OrbCatalog

    async def push(self, invoice: InvoiceDocument, customer: str, attempt: Attempt) -> str:
        """Draft an invoice, and issue it if it asks for what ours does."""
        draft = await self._draft(invoice, customer, attempt)
        remote_id = str(draft["id"])
        if draft["status"] == "draft":
            if why := why_not_ours(invoice, draft):
                raise Refused(f"{why} Is a tax or a discount of Orb's in it?", "differs")
            await self.calls.post(f"/invoices/{remote_id}/issue", {"synchronous": True})
        return remote_id

    async def settle(self, invoice: InvoiceDocument, remote_id: str) -> str | None:
        """Mark an invoice as paid once all of it is; return a word on a part."""
        remote = await self.read(remote_id)
        more = invoice.paid - paid_before(remote)
        if remote["status"] not in OPEN or more <= 0:
            return None
        left = remote_invoice(remote).remaining
        if more < left:
            return f"Orb takes no payment in part: it asks for {left:f} until all is paid."
        # Said first: what is marked as paid by others is money that Farebox does not know of
        note = {"farebox_paid_elsewhere": plain(more)}
        await self.calls.put(f"/invoices/{remote_id}", {"metadata": note})
        body = {
            "payment_received_date": datetime.now(UTC).date().isoformat(),
            "external_id": invoice.id,
            "notes": f"Recorded in Farebox on {invoice.number}",
        }
        await self.calls.post(f"/invoices/{remote_id}/mark_paid", body)
        return None

    async def push_credit_note(self, note: CreditNoteDocument, attempt: Attempt) -> str | None:
        """Create a credit note; None if Orb asks for nothing any more, or for that much less."""
        remote_id = await attempt.memory.recall("credit_note", note.id)
        if remote_id is None:
            remote = await self.read(note.remote_invoice)
            remote_id = next(
                (str(there["id"]) for there in remote["credit_notes"] if _is_of(there, note)), None
            )
            if remote_id is None:
                remote_id = await self._credit(note, remote)
        if remote_id is not None:
            await attempt.memory.remember("credit_note", note.id, remote_id)
        return remote_id

    async def void(self, remote_id: str) -> None:
        """Void an invoice."""
        status = (await self.read(remote_id))["status"]
        if status == "draft":
            raise Refused("Orb voids issued invoices alone: delete the draft there.", "draft")
        if status != "void":
            await self.calls.post(f"/invoices/{remote_id}/void")

    async def write_off(self, remote_id: str) -> None:
        """Void an invoice that nobody expects to be paid: Orb has no other word for it."""
        if (await self.read(remote_id))["status"] in OPEN:
            await self.calls.post(f"/invoices/{remote_id}/void")

    async def read(self, remote_id: str) -> Json:
        """Return an invoice as it stands on Orb."""
        return await self.calls.get(f"/invoices/{remote_id}")

    async def find(self, customer: str, at: datetime, name: str, own_id: str) -> str | None:
        """Return the remote id of an invoice of about then with our id in its metadata."""
        query: Query = {
            "customer_id": customer,
            "status[]": ALL_STATES,
            "invoice_date[gte]": stamp(at - _AROUND),
            "invoice_date[lte]": stamp(at + _AROUND),
        }
        async for there in self.calls.all("/invoices/summary", query):
            if there["metadata"].get(name) == own_id:
                return str(there["id"])
        return None

    async def _draft(self, invoice: InvoiceDocument, customer: str, attempt: Attempt) -> Json:
        remote_id = await attempt.memory.recall("invoice", invoice.id)
        if remote_id is None and (attempt.tried or attempt.look_up):
            remote_id = await self.find(customer, invoice.issued_at, "farebox_id", invoice.id)
        if remote_id is not None:
            await attempt.memory.remember("invoice", invoice.id, remote_id)
            return await self.read(remote_id)
        body = invoice_body(invoice, customer, await self.catalog.items())
        draft = await self.calls.post("/invoices", body)
        await attempt.memory.remember("invoice", invoice.id, str(draft["id"]))
        return draft

    async def _credit(self, note: CreditNoteDocument, remote: Json) -> str | None:
        if remote["status"] not in OPEN:
            return None
        try:
            body = credit_note_body(note, remote)
        except ValueError as missing:
            raise Refused(str(missing), "no_line") from missing
        if body is None:
            return None
        return str((await self.calls.post("/credit_notes", body))["id"])


def _is_of(there: Json, note: CreditNoteDocument) -> bool:
    return own_note(there["memo"]) == note.id and there["voided_at"] is None
