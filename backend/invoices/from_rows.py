"""Rows of invoices, lines, payments and credit notes as the API's types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping

from backend.invoices.issuing.issuing import BALANCE
from backend.invoices.rules.lifecycle import Balance, due
from backend.pricing.money import ZERO, exact_arithmetic, money
from backend_client.types.invoices import (
    CreditedLine,
    CreditNote,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    InvoiceSummary,
    Payment,
    Tax,
)
from backend_client.types.spend import Period, SpendLine


def summary_from(row: RowMapping, now: datetime) -> InvoiceSummary:
    """Return an invoice of the list; ``now`` says whether it is overdue."""
    state = InvoiceState(row["state"])
    left = due(state, Balance(row["total"], row["paid"], row["credited"]))
    return InvoiceSummary(
        id=row["id"],
        number=row["number"],
        kind=InvoiceKind(row["kind"]),
        state=state,
        period=Period(start=row["period_start"], end=row["period_end"], time_zone=row["time_zone"]),
        issued_at=row["issued_at"],
        due_at=row["due_at"],
        total=money(row["total"], row["currency"]),
        due=money(left, row["currency"]),
        overdue=left > 0 and row["due_at"] < now,
    )


def line_from(
    line: RowMapping, invoice: RowMapping, plan_names: Mapping[tuple[str | None, int | None], str]
) -> InvoiceLine:
    """Return a line of an invoice, whose row says its currency and time zone.

    ``plan_names`` has what plans are called, by id and version.
    """
    currency = invoice["currency"]
    before = line["before"]
    return InvoiceLine(
        line=line["line"],
        kind=line["kind"],
        name=line["name"],
        period=Period(
            start=line["period_start"], end=line["period_end"], time_zone=invoice["time_zone"]
        ),
        late=line["late"],
        plan=line["plan"],
        plan_version=line["plan_version"],
        plan_name=plan_names.get((line["plan"], line["plan_version"])),
        quantity=line["quantity"],
        charge=None if line["charge"] is None else SpendLine.model_validate(line["charge"]),
        before=None if before is None else money(before, currency),
        exact=line["exact"],
        amount=money(line["amount"], currency),
    )


def paid_before_credit(
    paid: Decimal, payments: Sequence[RowMapping], notes: Sequence[RowMapping]
) -> Decimal:
    """Return what was paid of an invoice, what its credit notes gave back since included.

    ``paid`` is what is left of it. A payment that was taken back since does not count: what of it
    was on the balance was drawn from there, under the name of what took it back.
    """
    by_id = {row["id"]: row for row in payments}
    drawn = {row["reference"]: row["amount"] for row in payments if row["method"] == BALANCE}

    def moved(payment: RowMapping) -> Decimal:
        return Decimal(drawn.get(f"{payment['method']} {payment['reference']}", ZERO))

    with exact_arithmetic():
        # Less what the payment itself had put on the balance: that was never paid of the invoice
        returned = (
            max(moved(row) + moved(by_id[row["returns"]]), ZERO)
            for row in payments
            if row["returns"]
        )
        credited = (note["to_balance"] + note["to_credit"] for note in notes)
        return paid + sum(credited, ZERO) - sum(returned, ZERO)


def payment_from(row: RowMapping, currency: str) -> Payment:
    """Return a payment of an invoice in a currency."""
    return Payment(
        id=row["id"],
        amount=money(row["amount"], currency),
        method=row["method"],
        reference=row["reference"],
        returns=row["returns"],
        received_at=row["received_at"],
    )


def credit_note_from(row: Mapping[Any, Any], currency: str) -> CreditNote:
    """Return a credit note of an invoice in a currency."""
    return CreditNote(
        id=row["id"],
        number=row["number"],
        invoice_id=row["invoice_id"],
        invoice_number=row["invoice_number"],
        reason=row["reason"],
        lines=[
            CreditedLine(line=line["line"], amount=money(Decimal(line["amount"]), currency))
            for line in row["lines"]
        ],
        subtotal=money(row["subtotal"], currency),
        tax=money(row["tax"], currency),
        taxes=[Tax.model_validate(tax) for tax in row["taxes"]],
        total=money(row["total"], currency),
        to_balance=money(row["to_balance"], currency),
        to_credit=money(row["to_credit"], currency),
        issued_at=row["issued_at"],
    )
