"""Notices about invoices for the outbox, from their rows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from backend.customers.dunning import SUSPEND
from backend.invoices.rules.lifecycle import Balance
from backend.outbox.notices import Notice
from backend.pricing.money import money
from backend_client.types.common import Money
from backend_client.types.invoices import InvoiceKind
from backend_client.types.notifications import (
    CreditNoteIssued,
    InvoiceFinalized,
    InvoicePaid,
    InvoicePaymentReturned,
    InvoiceReminder,
    InvoiceSuspended,
    NotificationKind,
)
from backend_client.types.spend import Period

InvoiceRow = Mapping[Any, Any]
"""A row with the columns of ``invoices``."""


def issued_notices(row: InvoiceRow, paid: Decimal, *, settled: bool) -> list[Notice]:
    """Return the notice of an issued invoice and, if it is ``settled``, that it is paid."""
    data = InvoiceFinalized(
        invoice_id=row["id"],
        number=row["number"],
        kind=InvoiceKind(row["kind"]),
        period=Period(start=row["period_start"], end=row["period_end"], time_zone=row["time_zone"]),
        issued_at=row["issued_at"],
        due_at=row["due_at"],
        total=_money(row, row["total"]),
        due=_money(row, Balance(row["total"], paid).due),
    )
    notices = [_notice(NotificationKind.INVOICE_FINALIZED, row, data, row["issued_at"])]
    if settled:
        notices.append(paid_notice(row, paid, Decimal(0), row["issued_at"]))
    return notices


def paid_notice(row: InvoiceRow, paid: Decimal, credited: Decimal, at: datetime) -> Notice:
    """Return the notice that nothing is left to pay of an invoice."""
    data = InvoicePaid(
        invoice_id=row["id"],
        number=row["number"],
        issued_at=row["issued_at"],
        paid_at=at,
        total=_money(row, row["total"]),
        paid=_money(row, paid),
        credited=_money(row, credited),
    )
    return _notice(NotificationKind.INVOICE_PAID, row, data, at)


def overdue_notice(row: InvoiceRow, step: str, at: datetime) -> Notice:
    """Return the notice that an invoice reached a step of dunning."""
    suspended = step == SUSPEND
    data = (InvoiceSuspended if suspended else InvoiceReminder)(
        invoice_id=row["id"],
        number=row["number"],
        step=step,
        due_at=row["due_at"],
        total=_money(row, row["total"]),
        due=_money(row, Balance(row["total"], row["paid"], row["credited"]).due),
    )
    kind = NotificationKind.INVOICE_SUSPENDED if suspended else NotificationKind.INVOICE_REMINDER
    return Notice(kind, row["tenant_id"], f"{row['id']} {step}", data, at)


def returned_notice(
    row: InvoiceRow, payment: Mapping[str, Any], paid: Decimal, fee: Decimal | None
) -> Notice:
    """Return the notice that money was taken back, a row of ``payments`` below zero.

    ``paid`` is what is paid of the invoice since.
    """
    data = InvoicePaymentReturned(
        invoice_id=row["id"],
        number=row["number"],
        amount=_money(row, -payment["amount"]),
        method=payment["method"],
        reference=payment["reference"],
        returned_at=payment["received_at"],
        due_at=row["due_at"],
        due=_money(row, Balance(row["total"], paid, row["credited"]).due),
        fee=None if fee is None else _money(row, fee),
    )
    kind = NotificationKind.INVOICE_PAYMENT_RETURNED
    return Notice(kind, row["tenant_id"], payment["id"], data, payment["received_at"])


def credited_notice(row: InvoiceRow, note: Mapping[str, Any]) -> Notice:
    """Return the notice of a credit note, a row of ``credit_notes``, on an invoice."""
    data = CreditNoteIssued(
        credit_note_id=note["id"],
        number=note["number"],
        invoice_id=row["id"],
        invoice_number=row["number"],
        reason=note["reason"],
        issued_at=note["issued_at"],
        total=_money(row, note["total"]),
        to_balance=_money(row, note["to_balance"]),
        to_credit=_money(row, note["to_credit"]),
    )
    kind, at = NotificationKind.CREDIT_NOTE_ISSUED, note["issued_at"]
    return Notice(kind, row["tenant_id"], note["id"], data, at)


def _notice(
    kind: NotificationKind, row: InvoiceRow, data: InvoiceFinalized | InvoicePaid, at: datetime
) -> Notice:
    return Notice(kind, row["tenant_id"], row["id"], data, at)


def _money(row: InvoiceRow, amount: Decimal) -> Money:
    return money(amount, row["currency"])
