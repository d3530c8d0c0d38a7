"""Our documents as Stripe's parameters, and its objects as ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from backend.platforms.adapter import Refused
from backend.platforms.documents import (
    CreditNoteDocument,
    Customer,
    InvoiceDocument,
    RemoteInvoice,
    RemotePayment,
    SavedMethod,
)
from backend.platforms.stripe.amounts import from_minor, to_minor
from backend.platforms.stripe.forms import Form
from backend.platforms.stripe.lines import MOST_TEXT, shares_of
from backend.platforms.stripe.times import moment, unix
from backend_client.types.common import plain

Json = Mapping[str, Any]

MOST_NUMBER: Final = 26
"""Letters in an invoice's number."""
_PAID: Final = "paid"


def customer_form(customer: Customer) -> Form:
    """Return the parameters of a customer."""
    lines = list(customer.address)
    return {
        "name": customer.name[:256],
        "email": customer.email,
        "address": {
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


def invoice_form(invoice: InvoiceDocument, customer: str, *, charge: bool) -> Form:
    """Return the parameters of a draft. ``charge``: the saved payment method pays it.

    Nothing of the customer's on Stripe changes what it asks for: no discount and no tax of theirs.
    Repeated it is the same to the letter, as the idempotency key demands.
    """
    fits = len(invoice.number) <= MOST_NUMBER
    terms: dict[str, Any] = {"collection_method": "charge_automatically"}
    if not charge:
        # In days, since a date that is over would be refused: a backfill sends old invoices too
        days = max((invoice.due_at - invoice.issued_at).days, 0)
        terms = {"collection_method": "send_invoice", "days_until_due": days}
    return {
        "customer": customer,
        "currency": invoice.currency.lower(),
        "auto_advance": False,
        "pending_invoice_items_behavior": "exclude",
        "discounts": "",
        "automatic_tax": {"enabled": False},
        "effective_at": unix(invoice.issued_at),
        "number": invoice.number if fits else None,
        "custom_fields": None if fits else [{"name": "Number", "value": invoice.number[:140]}],
        "description": f"Invoice {invoice.number}"[:1500],
        "footer": "\n".join(invoice.notes)[:5000] or None,
        "metadata": {
            "farebox_id": invoice.id,
            "farebox_tenant": invoice.tenant_id,
            "farebox_number": invoice.number[:MOST_TEXT],
        },
        **terms,
    }


def credit_note_form(note: CreditNoteDocument, remaining: int, tax_rates: Sequence[str]) -> Form:
    """Return the parameters of a credit note with our lines and taxes.

    ``remaining`` is what is still to be paid of the invoice there; the rest is on the customer's
    balance with us. ``tax_rates`` are Stripe's ids of the invoice's taxes, in their order.
    """
    total = to_minor(note.total, note.currency)
    shares = [shares_of(tax, note.lines, note.currency) for tax in note.taxes]
    return {
        "invoice": note.remote_invoice,
        "lines": [
            {
                "type": "custom_line_item",
                "description": line.text[:MOST_TEXT],
                "quantity": 1,
                "unit_amount": to_minor(line.amount, note.currency),
                "tax_amounts": [
                    {
                        "taxable_amount": of_tax[place][0],
                        "amount": of_tax[place][1],
                        "tax_rate": rate,
                    }
                    for of_tax, rate in zip(shares, tax_rates, strict=True)
                ]
                or None,
            }
            for place, line in enumerate(note.lines)
        ]
        or _tax_alone(note),
        "out_of_band_amount": max(total - remaining, 0) or None,
        "effective_at": unix(note.issued_at),
        "memo": f"{note.number}: {note.reason}"[:MOST_TEXT],
        "email_type": "none",
        "metadata": {
            "farebox_id": note.id,
            "farebox_tenant": note.tenant_id,
            "farebox_number": note.number[:MOST_TEXT],
        },
    }


def _tax_alone(note: CreditNoteDocument) -> list[Form]:
    """Return the lines of a credit note of tax alone: Stripe takes no tax without a line."""
    return [
        {
            "type": "custom_line_item",
            "description": f"{tax.name} {plain(tax.percent)} %"[:MOST_TEXT],
            "quantity": 1,
            "unit_amount": to_minor(tax.amount, note.currency),
        }
        for tax in note.taxes
    ]


def remote_invoice(invoice: Json, payments: Sequence[Json] = ()) -> RemoteInvoice:
    """Return one of Stripe's invoices; of its payments those that Stripe itself collected."""
    currency = str(invoice["currency"]).upper()
    return RemoteInvoice(
        remote_id=invoice["id"],
        status=invoice["status"],
        currency=currency,
        number=invoice.get("number"),
        total=from_minor(invoice["total"], currency),
        tax=from_minor(_tax_on_top(invoice), currency),
        remaining=from_minor(invoice["amount_remaining"], currency),
        pay_url=invoice.get("hosted_invoice_url"),
        pdf_url=invoice.get("invoice_pdf"),
        failure=_failure(invoice),
        payments=tuple(
            RemotePayment(
                payment["id"],
                from_minor(payment["amount_paid"], currency),
                _paid_at(payment),
            )
            for payment in payments
            if payment["status"] == _PAID
            and payment["payment"]["type"] != "payment_record"
            and payment.get("amount_paid")
        ),
    )


def saved_method(method: Json, chosen: str | None) -> SavedMethod:
    """Return one of Stripe's payment methods: a card, or a bank account by its last digits."""
    kind = str(method["type"])
    details = method.get(kind) or {}
    name = str(details.get("brand") or details.get("bank_name") or kind).replace("_", " ")
    digits = details.get("last4")
    month, year = details.get("exp_month"), details.get("exp_year")
    return SavedMethod(
        kind=kind,
        label=f"{name.capitalize()} •••• {digits}" if digits else name.capitalize(),
        expires_on=f"{year:04}-{month:02}" if year and month else None,
        chosen=method["id"] == chosen,
    )


def same_as_ours(invoice: InvoiceDocument, remote: Json) -> None:
    """Raise ``Refused`` unless Stripe's draft asks for what the invoice does, tax and all."""
    pairs = (
        ("total", to_minor(invoice.total, invoice.currency), remote["total"]),
        ("tax", to_minor(invoice.tax, invoice.currency), _tax_on_top(remote)),
        ("currency", invoice.currency.lower(), remote["currency"]),
    )
    for name, ours, theirs in pairs:
        if ours != theirs:
            raise Refused(f"Stripe's draft has the {name} {theirs}, not {ours}.", "differs")


def _failure(invoice: Json) -> str | None:
    if error := invoice.get("last_finalization_error"):
        return str(error.get("message"))
    attempts = invoice.get("attempt_count") or 0
    if invoice["status"] == "open" and invoice.get("attempted") and attempts:
        return f"The payment failed (attempt {attempts})."
    return None


def _tax_on_top(invoice: Json) -> int:
    taxes = invoice.get("total_taxes") or []
    return sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")


def _paid_at(payment: Json) -> datetime:
    return moment((payment.get("status_transitions") or {}).get("paid_at") or payment["created"])
