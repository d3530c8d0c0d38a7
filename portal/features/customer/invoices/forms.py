"""What the operator's forms about an invoice ask for. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from backend_client.types.invoice_items import InvoiceItemCreate
from backend_client.types.invoices import (
    CreditNoteCreate,
    InvoiceState,
    InvoiceSummary,
    PaymentRecord,
    VoidInvoice,
)
from portal.features.customer.forms import by_field
from portal.kit.form_problems import FormProblems, checked, text_of

EVERYTHING = "all"
"""Stands for every line of an invoice, with all that is left of it."""
_ACTS: dict[InvoiceState, tuple[str, ...]] = {
    InvoiceState.DRAFT: ("finalize",),
    InvoiceState.FINALIZED: ("payment", "credit", "void", "write_off"),
    InvoiceState.PAID: ("credit",),
    InvoiceState.UNCOLLECTIBLE: ("payment",),
    InvoiceState.VOID: (),
}


def acts_on(invoice: InvoiceSummary) -> tuple[str, ...]:
    """What the operator may do with an invoice as it stands; the API decides in the end."""
    return _ACTS.get(invoice.state, ())


def payment_from(form: Mapping[str, Any], time_zone: str) -> PaymentRecord:
    """The money that came in; its day is one of the customer's zone. Raises ``FormProblems``."""
    problems = {}
    if not (method := text_of(form, "method")):
        problems["method"] = "Say how it was paid, such as bank transfer."
    if not (reference := text_of(form, "reference")):
        problems["reference"] = "Name it as your bank does: the same again counts once."
    values = {"amount": text_of(form, "amount"), "method": method, "reference": reference}
    day = text_of(form, "received")
    received = None
    if day:
        try:
            first = date.fromisoformat(day)
        except ValueError:
            raise FormProblems({"received": "Write a day, such as 2026-03-31."}) from None
        received = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(time_zone))
    return checked(PaymentRecord, {**values, "received_at": received}, problems, by_field)


def credit_note_from(form: Mapping[str, Any]) -> CreditNoteCreate:
    """What is credited: all that is left, or of one line. Raises ``FormProblems``."""
    line, amount = text_of(form, "line"), text_of(form, "amount")
    problems = _without_reason(form)
    if line in ("", EVERYTHING):
        if amount:
            problems["amount"] = "Choose the line that the amount is of."
        lines: list[dict[str, object]] = []
    else:
        lines = [{"line": line, "amount": amount or None}]
    values = {"reason": text_of(form, "reason"), "lines": lines}
    return checked(CreditNoteCreate, values, problems, by_field)


def void_from(form: Mapping[str, Any]) -> VoidInvoice:
    """Why the invoice is void, and whether it is issued again. Raises ``FormProblems``."""
    values = {"reason": text_of(form, "reason"), "reissue": bool(form.get("reissue"))}
    return checked(VoidInvoice, values, _without_reason(form), by_field)


def item_from(form: Mapping[str, Any], time_zone: str) -> InvoiceItemCreate:
    """A line for the next invoice; its days are of the customer's zone. Raises ``FormProblems``."""
    problems = {}
    if not (name := text_of(form, "name")):
        problems["name"] = "Say what it is for: the customer reads it."
    if not (price := text_of(form, "unit_price")):
        problems["unit_price"] = "A price is needed; below zero it is a credit."
    days: dict[str, datetime | None] = {}
    for field, later in (("start", 0), ("end", 1)):
        written = text_of(form, field)
        try:
            day = date.fromisoformat(written) + timedelta(days=later) if written else None
        except ValueError:
            problems[field] = "Write a day, such as 2026-03-31."
            continue
        zone = ZoneInfo(time_zone)
        days[field] = None if day is None else datetime(day.year, day.month, day.day, tzinfo=zone)
    values = {
        "name": name,
        "quantity": text_of(form, "quantity") or "1",
        "unit_price": price,
        "tax_code": text_of(form, "tax_code") or None,
    }
    return checked(InvoiceItemCreate, values | days, problems, by_field)


def _without_reason(form: Mapping[str, Any]) -> dict[str, str]:
    if text_of(form, "reason"):
        return {}
    return {"reason": "Give a reason: the customer reads it, and so does the audit."}
