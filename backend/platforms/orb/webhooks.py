"""Orb's webhooks: which object each is about, and what that object says now.

A webhook only points: they come in any order, and more than once. Orb tells of no disputes: those
are between the seller and the payment gateway.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from backend.outbox.channels.channel import one_line
from backend.platforms.adapter import (
    CreditedThere,
    InvoiceMoved,
    Message,
    MoneyBack,
    PeriodInvoiced,
    Refused,
    RemoteFact,
    ToppedUp,
    UsageRejected,
)
from backend.platforms.documents import RemoteInvoice
from backend.platforms.errors import WebhookRefused
from backend.platforms.orb.calls import NOT_THERE, Json, OrbCalls, Query
from backend.platforms.orb.credit_notes import own_note
from backend.platforms.orb.mapping import (
    OPEN,
    moment,
    rated_invoice,
    remote_invoice,
    stamp,
)

WEBHOOKS: Final = (
    "invoice.issued",
    "invoice.issue_failed",
    "invoice.edited",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.manually_marked_as_paid",
    "invoice.manually_marked_as_void",
    "invoice.undo_mark_as_paid",
    "invoice.sync_failed",
    "invoice.sync_succeeded",
    "credit_note.issued",
    "credit_note.marked_as_void",
    "event.unmatched_event",
)
"""What a webhook endpoint on Orb is to be sent."""

_INVOICES_OF: Final = timedelta(days=40)
_EVENTS_OF: Final = timedelta(days=100)
"""How far back an event is looked for: Orb looks a week back otherwise."""


def message_from(raw: bytes) -> Message:
    """Return what a webhook's body points to; raise ``WebhookRefused`` if it is no event."""
    try:
        body = json.loads(raw)
        kind = str(body["type"])
        topic = kind.partition(".")[0]
        of = body["properties"]["event"]["idempotency_key"] if topic == "event" else None
        if of is None:
            of = (body.get(topic) or {}).get("id", "")
        at = moment(str(body["created_at"]))
        return Message(str(body["id"]), kind, str(of), at, kind in WEBHOOKS)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        raise WebhookRefused("The webhook's body is no event of Orb's.") from None


async def read_facts(calls: OrbCalls, message: Message) -> Sequence[RemoteFact]:
    """Fetch what a webhook is about; nothing if it does not concern us, or is gone."""
    try:
        match message.kind.partition(".")[0]:
            case "invoice":
                return await _invoice(calls, message)
            case "credit_note":
                return await _credit_note(calls, message.object_id)
            case "event":
                return await _unmatched(calls, message)
    except Refused as refusal:
        if refusal.code != NOT_THERE:
            raise
    return ()


async def lately_invoiced(calls: OrbCalls, customer: str) -> Sequence[RemoteFact]:
    """Return the last invoices that Orb wrote for a customer's usage."""
    since = stamp(datetime.now(UTC) - _INVOICES_OF)
    query: Query = {"customer_id": customer, "invoice_date[gte]": since}
    return [
        fact
        async for raw in calls.all("/invoices", query)
        if raw["invoice_source"] == "subscription"
        for fact in period_invoiced(raw)
    ]


async def read_invoice(calls: OrbCalls, remote_id: str) -> RemoteInvoice:
    """Return an invoice as it stands on Orb, with what Orb brought in for it."""
    return remote_invoice(await calls.get(f"/invoices/{remote_id}"))


async def _invoice(calls: OrbCalls, message: Message) -> Sequence[RemoteFact]:
    raw = await calls.get(f"/invoices/{message.object_id}")
    if raw["invoice_source"] == "subscription":
        return period_invoiced(raw)
    own = raw.get("metadata") or {}
    tenant_id = own.get("farebox_tenant")
    if not tenant_id:
        return ()
    if own.get("farebox_top_up"):
        return await _top_up(calls, message, raw, tenant_id)
    if not own.get("farebox_id"):
        return ()
    return (InvoiceMoved(own["farebox_id"], tenant_id, remote_invoice(raw)),)


def period_invoiced(raw: Json) -> Sequence[RemoteFact]:
    """Return an invoice that Orb wrote for usage, once it is issued."""
    rated = rated_invoice(raw)
    return () if rated is None else (PeriodInvoiced(str(raw["customer"]["id"]), rated),)


async def _top_up(
    calls: OrbCalls, message: Message, raw: Json, tenant_id: str
) -> Sequence[RemoteFact]:
    own, remote_id = raw["metadata"], str(raw["id"])
    if raw["status"] == "paid":
        return (ToppedUp(tenant_id, own["farebox_top_up"], True, remote_id),)
    failed = message.kind == "invoice.payment_failed" and raw["status"] in OPEN
    if failed and own.get("farebox_automatic"):
        # Nobody is there to try another card: what failed is not to be paid later
        await calls.post(f"/invoices/{remote_id}/void")
        return (ToppedUp(tenant_id, own["farebox_top_up"], False, remote_id),)
    return ()


async def _credit_note(calls: OrbCalls, remote_id: str) -> Sequence[RemoteFact]:
    note = await calls.get(f"/credit_notes/{remote_id}")
    is_void = note["voided_at"] is not None
    invoice_id, total = str(note["invoice_id"]), Decimal(note["total"])
    if note["type"] == "refund" and not is_void:
        remote = await calls.get(f"/invoices/{invoice_id}")
        own, currency = remote.get("metadata") or {}, str(remote["currency"]).upper()
        top_up_id, tenant_id = own.get("farebox_top_up"), own.get("farebox_tenant")
        # Given back by the gateway, or owed by Orb from now on: it is not ours to pay out any
        # more, also of a note of ours that came when the invoice had just been paid
        return (MoneyBack(remote_id, total, currency, invoice_id, top_up_id, tenant_id),)
    if own_note(note["memo"]) and not is_void:
        return ()
    why = one_line(note["memo"] or note["reason"] or "Written on Orb", 150)
    return (CreditedThere(remote_id, invoice_id, total, why, is_void),)


async def _unmatched(calls: OrbCalls, message: Message) -> Sequence[RemoteFact]:
    """Look whether an event that Orb took belongs to no customer."""
    body = {
        "event_ids": [message.object_id],
        "timeframe_start": stamp(message.sent_at - _EVENTS_OF),
        "timeframe_end": stamp(message.sent_at + timedelta(days=1)),
    }
    matches = (await calls.ask("/events/search", body))["data"]
    lost = {
        str(event["id"]): "Orb matched it with no customer."
        for event in matches
        if event["customer_id"] is None
    }
    return (UsageRejected(lost, len(lost)),) if lost else ()
