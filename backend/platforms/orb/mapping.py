"""Our documents as Orb's, and Orb's as ours. Pure.

Orb has no place for taxes that others computed, and none for a payment in part. Both are lines of
an invoice here: a tax as one of the item *Farebox tax*, what was paid before as one below zero of
the item *Farebox payments*, so that Orb asks for what is due. Lines have no metadata: each of ours
begins with its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from backend.platforms.documents import (
    Customer,
    DocumentLine,
    InvoiceDocument,
    RatedInvoice,
    RemoteInvoice,
    RemotePayment,
    TaxOnDocument,
)
from backend.pricing.money import ZERO, minor_digits
from backend_client.types.common import plain

Json = Mapping[str, Any]
Body = dict[str, Any]

CHARGES: Final = "Farebox charges"
TAX: Final = "Farebox tax"
PAYMENTS: Final = "Farebox payments"

OPEN: Final = frozenset({"issued", "synced"})
"""The states in which Orb asks for money."""
ALL_STATES: Final = ("draft", "issued", "paid", "synced", "void")
MOST_NAME: Final = 300


class Items(NamedTuple):
    """Orb's ids of the items that our lines are of."""

    charges: str
    tax: str
    payments: str


def external_id(tenant_id: str, currency: str) -> str:
    """Return Orb's alias of a customer: one a currency, since that can't change there."""
    return f"{tenant_id}-{currency}"


def customer_body(customer: Customer) -> Body:
    """Return what a customer is called, and where it is; of one that is there already, too."""
    lines = list(customer.address)
    return {
        "name": customer.name[:MOST_NAME],
        "email": customer.email,
        "billing_address": {
            "line1": lines[0] if lines else None,
            "line2": ", ".join(lines[1:]) or None,
            "state": customer.region,
            "country": customer.country,
        },
        "metadata": {
            "farebox_tenant": customer.tenant_id,
            "farebox_currency": customer.currency,
        },
    }


def new_customer_body(customer: Customer) -> Body:
    """Return a new customer, with what can't change later: its currency and time zone."""
    return customer_body(customer) | {
        "external_customer_id": external_id(customer.tenant_id, customer.currency),
        "currency": customer.currency,
        "timezone": customer.time_zone,
    }


def invoice_body(invoice: InvoiceDocument, customer: str, items: Items) -> Body:
    """Return a draft with our lines, our taxes as lines, and what was paid before as one."""
    lines = [_line_body(invoice, _numbered(line), line, items.charges) for line in invoice.lines]
    whole = _whole(invoice)
    for tax in invoice.taxes:
        if not tax.inclusive and tax.amount:
            line = DocumentLine(0, tax_name(tax), tax.amount, whole.start, whole.end)
            lines.append(_line_body(invoice, line.text, line, items.tax))
    if invoice.paid:
        line = DocumentLine(0, "Paid before", -invoice.paid, whole.start, whole.end)
        lines.append(_line_body(invoice, line.text, line, items.payments))
    included = [
        f"{tax_name(tax)} included: {plain(tax.amount)}" for tax in invoice.taxes if tax.inclusive
    ]
    return {
        "customer_id": customer,
        "currency": invoice.currency,
        "invoice_date": stamp(invoice.issued_at),
        "due_date": stamp(invoice.due_at),
        "will_auto_issue": False,
        "memo": "\n".join([f"Invoice {invoice.number}", *included, *invoice.notes])[:2000],
        "line_items": lines,
        "metadata": {
            "farebox_id": invoice.id,
            "farebox_tenant": invoice.tenant_id,
            "farebox_number": invoice.number,
        },
    }


def tax_name(tax: TaxOnDocument) -> str:
    """Return the name of a tax's line."""
    return f"{tax.name} {plain(tax.percent)} %"[:MOST_NAME]


def why_not_ours(invoice: InvoiceDocument, remote: Json) -> str | None:
    """Return how Orb's draft asks for something else than the invoice; None if it does not."""
    there = remote_invoice(remote)
    pairs = (
        ("total", invoice.total, there.total),
        ("tax", invoice.tax, there.tax),
        ("currency", invoice.currency, there.currency),
    )
    for name, ours, theirs in pairs:
        if ours != theirs:
            return f"Orb's draft {there.remote_id} has the {name} {theirs}, not {ours}."
    return None


def remote_invoice(remote: Json) -> RemoteInvoice:
    """Return one of Orb's invoices as ours, with the money that Orb brought in for it."""
    currency = str(remote["currency"]).upper()

    def of_item(name: str) -> Decimal:
        lines = [line for line in remote["line_items"] if line["price"]["item"]["name"] == name]
        return sum((Decimal(line["amount"]) for line in lines), ZERO)

    theirs = (tax for line in remote["line_items"] for tax in line["tax_amounts"])
    tax = of_item(TAX) + sum((Decimal(part["amount"]) for part in theirs), ZERO)
    payments = _payments(remote)
    due = Decimal(remote["amount_due"]) if remote["status"] in {*OPEN, "draft"} else ZERO
    return RemoteInvoice(
        remote_id=remote["id"],
        status=remote["status"],
        currency=currency,
        number=remote.get("invoice_number"),
        total=_money(Decimal(remote["total"]) - of_item(PAYMENTS), currency),
        tax=_money(tax, currency),
        remaining=_money(due, currency),
        pay_url=remote.get("hosted_invoice_url"),
        pdf_url=remote.get("invoice_pdf"),
        failure=_failure(remote),
        payments=payments,
    )


def rated_invoice(remote: Json) -> RatedInvoice | None:
    """Return an invoice that Orb wrote for usage; None while it is a draft.

    Its total is without Orb's taxes, and before the credit that Orb holds: that is none of the
    wallet's, so that nothing is taken from there for it.
    """
    lines = remote["line_items"]
    if remote["status"] in {"draft", "void"} or not lines:
        return None
    taxes = (Decimal(tax["amount"]) for line in lines for tax in line["tax_amounts"])
    drawn = sum((Decimal(line["credits_applied"]) for line in lines), ZERO)
    failure = _failure(remote)
    return RatedInvoice(
        remote_id=remote["id"],
        start=min(moment(line["start_date"]) for line in lines),
        end=max(moment(line["end_date"]) for line in lines),
        currency=str(remote["currency"]).upper(),
        total=Decimal(remote["total"]) + drawn - sum(taxes, ZERO),
        prepaid=ZERO,
        final=True,
        status=remote["status"],
        payment="paid" if remote["status"] == "paid" else "failed" if failure else "open",
        failure=failure,
    )


def paid_before(remote: Json) -> Decimal:
    """Return what Orb was told was paid before it had the invoice."""
    lines = [line for line in remote["line_items"] if line["price"]["item"]["name"] == PAYMENTS]
    return -sum((Decimal(line["amount"]) for line in lines), ZERO)


def stamp(at: datetime) -> str:
    """Return a time in UTC as Orb reads it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """Return a time of Orb's."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _numbered(line: DocumentLine) -> str:
    return f"{line.number}. {line.text}"[:MOST_NAME]


def _whole(invoice: InvoiceDocument) -> DocumentLine:
    """Return when the invoice's lines are of, as a line."""
    start = min((line.start for line in invoice.lines if line.start), default=invoice.issued_at)
    end = max((line.end for line in invoice.lines if line.end), default=invoice.issued_at)
    return DocumentLine(0, "", ZERO, start, end)


def _line_body(invoice: InvoiceDocument, name: str, line: DocumentLine, item_id: str) -> Body:
    zone, issued_at = ZoneInfo(invoice.time_zone), invoice.issued_at
    # Our ends are exclusive: the last day is that of the moment before
    end = line.end and line.end - timedelta(microseconds=1)
    first = (line.start or end or issued_at).astimezone(zone).date()
    last = max((end or line.start or issued_at).astimezone(zone).date(), first)
    return {
        "name": name,
        "item_id": item_id,
        "start_date": first.isoformat(),
        "end_date": last.isoformat(),
        "quantity": 1,
        "model_type": "unit",
        "unit_config": {"unit_amount": format(line.amount, "f")},
    }


def _payments(remote: Json) -> tuple[RemotePayment, ...]:
    """Return what was paid: by the gateway, out of what Orb owed the customer, or otherwise.

    What somebody marks as paid in Orb is a payment too, unless it was we who told Orb of it.
    """
    paid = [
        RemotePayment(attempt["id"], Decimal(attempt["amount"]), moment(attempt["created_at"]))
        for attempt in remote["payment_attempts"]
        if attempt["succeeded"]
    ]
    by_gateway = sum((payment.amount for payment in paid), ZERO)
    paid += [
        RemotePayment(entry["id"], abs(Decimal(entry["amount"])), moment(entry["created_at"]))
        for entry in remote["customer_balance_transactions"]
        if entry["action"] == "applied_to_invoice" and Decimal(entry["amount"])
    ]
    rest = Decimal(remote["amount_due"]) - by_gateway
    by_us = "farebox_paid_elsewhere" in (remote.get("metadata") or {})
    if remote["status"] == "paid" and rest > 0 and not by_us:
        paid.append(RemotePayment(f"{remote['id']} marked", rest, moment(remote["paid_at"])))
    return tuple(paid)


def _failure(remote: Json) -> str | None:
    if remote["status"] == "draft" and remote.get("issue_failed_at"):
        return "Orb could not issue it."
    if remote["status"] not in OPEN:
        return None
    if remote.get("payment_failed_at"):
        attempts = (remote.get("auto_collection") or {}).get("num_attempts") or 1
        return f"The payment failed (attempt {attempts})."
    if remote.get("sync_failed_at"):
        return "Orb could not pass it on to the system that it is synced with."
    return None


def _money(amount: Decimal, currency: str) -> Decimal:
    """Return an amount with the currency's decimals, all of those that it has."""
    unit = Decimal(1).scaleb(-minor_digits(currency))
    return amount.quantize(unit) if amount == amount.quantize(unit) else amount
