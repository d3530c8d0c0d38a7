"""Stripe's webhooks: which object each is about, and what that object says now.

A webhook only points: they come in any order, and more than once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from backend.outbox.channels.channel import one_line
from backend.platforms.adapter import (
    CreditedThere,
    Disputed,
    InvoiceMoved,
    Message,
    MoneyBack,
    Refused,
    RemoteFact,
    ToppedUp,
    UsageRejected,
)
from backend.platforms.documents import RemoteInvoice
from backend.platforms.errors import WebhookRefused
from backend.platforms.stripe.amounts import from_minor
from backend.platforms.stripe.calls import StripeCalls
from backend.platforms.stripe.forms import Form
from backend.platforms.stripe.mapping import remote_invoice
from backend.platforms.stripe.times import moment

WEBHOOKS: Final = (
    "invoice.finalized",
    "invoice.finalization_failed",
    "invoice.marked_uncollectible",
    "invoice.overpaid",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.updated",
    "invoice.voided",
    "credit_note.created",
    "credit_note.voided",
    "charge.refunded",
    "charge.dispute.created",
    "charge.dispute.closed",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
)
"""What a webhook endpoint on Stripe is to be sent."""

THIN_EVENTS: Final = (
    "v1.billing.meter.error_report_triggered",
    "v1.billing.meter.no_meter_found",
)
"""What an event destination of Stripe's v2 is to be sent beside it, for usage."""

Json = dict[str, Any]


def message_from(raw: bytes) -> Message:
    """Return what a webhook's body points to; raise ``WebhookRefused`` if it is no event."""
    try:
        body = json.loads(raw)
        kind, message_id = str(body["type"]), str(body["id"])
        if body["object"] == "v2.core.event":
            related = body.get("related_object") or {}
            at = datetime.fromisoformat(str(body["created"])).astimezone(UTC)
            # What is wrong stands in the event itself, which is fetched by its id
            return Message(message_id, kind, str(related.get("id", "")), at, kind in THIN_EVENTS)
        of = body["data"]["object"]
        at = moment(int(body["created"]))
        return Message(message_id, kind, str(of.get("id", "")), at, kind in WEBHOOKS)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        raise WebhookRefused("The webhook's body is no event of Stripe's.") from None


async def read_facts(calls: StripeCalls, message: Message) -> Sequence[RemoteFact]:
    """Fetch what a webhook is about; nothing if it does not concern us, or is gone."""
    topic = message.kind.rpartition(".")[0]
    try:
        match topic:
            case "invoice":
                return await _invoice(calls, message.object_id)
            case "credit_note":
                return await _credit_note(calls, message.object_id)
            case "charge":
                return await _refunds(calls, message.object_id)
            case "charge.dispute":
                return await _dispute(calls, message.object_id)
            case "checkout.session":
                return await _checkout(calls, message)
            case "payment_intent":
                return await _payment(calls, message.object_id)
            case "v1.billing.meter":
                return await _rejected_usage(calls, message.id)
    except Refused as refusal:
        if refusal.code != "resource_missing":
            raise
    return ()


async def read_invoice(calls: StripeCalls, remote_id: str) -> RemoteInvoice:
    """Return an invoice as it stands on Stripe, with what Stripe collected for it."""
    invoice = await calls.get(f"/v1/invoices/{remote_id}")
    query: Form = {"invoice": remote_id, "status": "paid"}
    payments = [paid async for paid in calls.all("/v1/invoice_payments", query)]
    return remote_invoice(invoice, payments)


async def _invoice(calls: StripeCalls, remote_id: str) -> Sequence[RemoteFact]:
    raw = await calls.get(f"/v1/invoices/{remote_id}")
    own_id, tenant_id = _ours(raw)
    if not own_id or not tenant_id:
        return ()
    return (InvoiceMoved(own_id, tenant_id, await read_invoice(calls, remote_id)),)


async def _credit_note(calls: StripeCalls, remote_id: str) -> Sequence[RemoteFact]:
    note = await calls.get(f"/v1/credit_notes/{remote_id}")
    if _ours(note)[0] and note["status"] != "void":
        return ()
    currency = note["currency"].upper()
    fact = CreditedThere(
        remote_id,
        str(note["invoice"]),
        from_minor(note["total"], currency),
        one_line(note.get("memo") or note.get("reason") or "Written on Stripe", 150),
        note["status"] == "void",
        tuple(str(refund["refund"]) for refund in note.get("refunds") or []),
    )
    return (fact,)


async def _refunds(calls: StripeCalls, charge_id: str) -> Sequence[RemoteFact]:
    charge = await calls.get(f"/v1/charges/{charge_id}")
    payment = charge.get("payment_intent")
    if not payment:
        return ()
    top_up_id, tenant_id = await _top_up_of(calls, payment)
    invoice = None if top_up_id else await _invoice_of(calls, payment)
    if top_up_id is None and invoice is None:
        return ()
    refunds = calls.all("/v1/refunds", {"charge": charge_id})
    return [
        MoneyBack(
            refund["id"],
            from_minor(refund["amount"], refund["currency"].upper()),
            refund["currency"].upper(),
            invoice,
            top_up_id,
            tenant_id,
        )
        async for refund in refunds
        if refund["status"] == "succeeded"
    ]


async def _dispute(calls: StripeCalls, dispute_id: str) -> Sequence[RemoteFact]:
    dispute = await calls.get(f"/v1/disputes/{dispute_id}")
    payment = dispute.get("payment_intent")
    invoice = await _invoice_of(calls, payment) if payment else None
    if invoice is None:
        return ()
    status = dispute["status"]
    fact = Disputed(
        dispute["id"],
        status,
        status in {"won", "lost", "warning_closed", "prevented"},
        status in {"won", "warning_closed", "prevented"},
        from_minor(dispute["amount"], dispute["currency"].upper()),
        invoice,
    )
    if status != "lost":
        return (fact,)
    # Reports come in any order: what is lost must have been received first
    return (*await _invoice(calls, invoice), fact)


async def _checkout(calls: StripeCalls, message: Message) -> Sequence[RemoteFact]:
    session = await calls.get(f"/v1/checkout/sessions/{message.object_id}")
    own = session.get("metadata") or {}
    if session["mode"] == "setup" and session["status"] == "complete" and "farebox_tenant" in own:
        await _choose_method(calls, session)
    top_up_id, tenant_id = own.get("farebox_top_up"), own.get("farebox_tenant")
    if not top_up_id or not tenant_id:
        return ()
    if session["payment_status"] == "paid":
        return (ToppedUp(tenant_id, top_up_id, True, str(session["payment_intent"])),)
    if message.kind.endswith(".async_payment_failed"):
        return (ToppedUp(tenant_id, top_up_id, False, str(session["payment_intent"])),)
    return ()  # not paid yet; a session that expired leaves the top-up open for another


async def _choose_method(calls: StripeCalls, session: Json) -> None:
    """Have invoices charged to the method that the customer has just saved."""
    intent = await calls.get(f"/v1/setup_intents/{session['setup_intent']}")
    if intent.get("payment_method"):
        form = {"invoice_settings": {"default_payment_method": intent["payment_method"]}}
        await calls.post(f"/v1/customers/{session['customer']}", form, None)


async def _payment(calls: StripeCalls, payment_id: str) -> Sequence[RemoteFact]:
    intent = await calls.get(f"/v1/payment_intents/{payment_id}")
    own = intent.get("metadata") or {}
    top_up_id, tenant_id = own.get("farebox_top_up"), own.get("farebox_tenant")
    if not top_up_id or not tenant_id:
        return ()
    if intent["status"] == "succeeded":
        return (ToppedUp(tenant_id, top_up_id, True, payment_id),)
    # Of a Checkout session the customer may try another card; nobody is there otherwise
    if own.get("farebox_automatic") and intent["status"] in {"requires_payment_method", "canceled"}:
        return (ToppedUp(tenant_id, top_up_id, False, payment_id),)
    return ()


async def _rejected_usage(calls: StripeCalls, event_id: str) -> Sequence[RemoteFact]:
    """Read which deltas were unusable. Stripe names samples only: the drift finds the others."""
    event = await calls.get(f"/v2/core/events/{event_id}")
    reason = (event.get("data") or {}).get("reason") or {}
    identifiers = {
        str(error["request"]["identifier"]): one_line(str(error["error_message"]), 200)
        for kind in reason.get("error_types") or []
        for error in kind.get("sample_errors") or []
    }
    return (UsageRejected(identifiers, int(reason.get("error_count") or len(identifiers))),)


async def _top_up_of(calls: StripeCalls, payment_id: str) -> tuple[str | None, str | None]:
    intent = await calls.get(f"/v1/payment_intents/{payment_id}")
    own = intent.get("metadata") or {}
    return own.get("farebox_top_up"), own.get("farebox_tenant")


async def _invoice_of(calls: StripeCalls, payment_id: str) -> str | None:
    query: Form = {"payment": {"type": "payment_intent", "payment_intent": payment_id}, "limit": 1}
    payments = await calls.get("/v1/invoice_payments", query)
    return str(payments["data"][0]["invoice"]) if payments["data"] else None


def _ours(remote: Json) -> tuple[str | None, str | None]:
    own = remote.get("metadata") or {}
    return own.get("farebox_id"), own.get("farebox_tenant")
