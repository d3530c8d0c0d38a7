"""Credit notes on Stripe."""

from __future__ import annotations

from backend.platforms.adapter import Attempt
from backend.platforms.documents import CreditNoteDocument
from backend.platforms.stripe.calls import StripeCalls, find_own
from backend.platforms.stripe.mapping import credit_note_form


async def push_credit_note(calls: StripeCalls, note: CreditNoteDocument, attempt: Attempt) -> str:
    """Create a credit note; what was paid already of it is on the balance with us."""
    remote_id = await attempt.memory.recall("credit_note", note.id)
    if remote_id is None and attempt.look_up:
        remote_id = await find_own(
            calls, "/v1/credit_notes", {"invoice": note.remote_invoice}, note.id
        )
    if remote_id is None:
        remote = await calls.get(f"/v1/invoices/{note.remote_invoice}")
        rates = [tax["tax_rate_details"]["tax_rate"] for tax in remote.get("total_taxes") or []]
        form = credit_note_form(note, remote["amount_remaining"], rates)
        created = await calls.post("/v1/credit_notes", form, attempt.key("note", note.id))
        remote_id = str(created["id"])
    await attempt.memory.remember("credit_note", note.id, remote_id)
    return remote_id
