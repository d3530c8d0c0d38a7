"""Invoices and credit notes as documents to divide, from their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from backend.chargeback.rules.documents import CostDocument, CostKey, CostLine, shared_cost
from backend.invoices.drafts.drafting import stored_line
from backend.invoices.rules.lines import (
    CHARGE,
    INVOICED_BEFORE,
    REDEEMED_BEFORE,
    ComposedLine,
)
from backend.pricing.periods import BillingPeriod
from backend_client.types.invoices import InvoiceKind
from backend_client.types.spend import SpendLine


def invoice_document(row: Mapping[Any, Any], lines: Iterable[Any]) -> CostDocument:
    """Return an issued invoice, given as its row and those of its lines, as it is divided."""
    series = row["id"] if row["kind"] == InvoiceKind.PROGRESSIVE.value else ""
    return CostDocument(
        row["id"],
        row["number"],
        row["id"],
        row["period_start"],
        row["period_end"],
        [_line(line["line"], stored_line(line, row["time_zone"]), series) for line in lines],
        [
            (tax["name"], Decimal(tax["amount"]["amount"]))
            for tax in row["taxes"]
            if not tax["inclusive"]
        ],
    )


def draft_document(
    document_id: str, period: BillingPeriod, lines: Sequence[ComposedLine]
) -> CostDocument:
    """Return a draft as it is divided; its tax is not known."""
    own = [_line(number, line, "") for number, line in enumerate(lines, start=1)]
    return CostDocument(document_id, None, document_id, period.start, period.end, own)


def credit_note_document(note: Mapping[Any, Any], of: CostDocument) -> CostDocument:
    """Return a credit note of an invoice: its lines taken back in part, and its tax."""
    by_number = {line.line: line for line in of.lines}
    lines = []
    for credited in note["lines"]:
        line = by_number[credited["line"]]
        amount = -Decimal(credited["amount"])
        lines.append(CostLine(line.line, line.key, line.name, amount, None, line.shared, line.unit))
    taxes = [("Tax", -note["tax"])] if note["tax"] else []
    return CostDocument(note["id"], note["number"], of.id, of.month, of.month_end, lines, taxes)


def _line(number: int, line: ComposedLine, series: str) -> CostLine:
    charge = line.charge
    key = CostKey(
        line.period.start,
        line.period.end,
        line.of,
        None if charge is None else _cut(charge, line.period.start, line.period.end),
        "" if line.late or line.of.kind in (INVOICED_BEFORE, REDEEMED_BEFORE) else series,
    )
    flat = charge is not None and charge.kind == "flat"
    shared = shared_cost(line.of.kind, flat=flat)
    quantity = line.quantity if line.of.kind == CHARGE else None
    unit = None if charge is None else _unit(charge.meters)
    return CostLine(number, key, line.name, line.amount, quantity, shared, unit)


def _unit(meters: Sequence[str]) -> str | None:
    """Return the meter of a charge, or what all of its meters count."""
    if len(meters) == 1:
        return meters[0]
    all_tokens = bool(meters) and all(meter.endswith("tokens") for meter in meters)
    return "tokens" if all_tokens else None


def _cut(charge: SpendLine, start: datetime, end: datetime) -> tuple[datetime, datetime] | None:
    """Return the part of the period that a charge is for; None for all of it, or none."""
    first, last = max(charge.start, start), min(charge.end, end)
    return None if (first, last) == (start, end) or first >= last else (first, last)
