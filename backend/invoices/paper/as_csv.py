"""An invoice as CSV: one row a line, then its subtotal, taxes with their notes, and total."""

from __future__ import annotations

from backend.invoices.paper import words
from backend.invoices.paper.credited import as_credited
from backend.invoices.paper.fee_parts import printed_lines
from backend.kit.spreadsheets import csv_text, spreadsheet_cell
from backend_client.types.common import Money, plain
from backend_client.types.invoices import AFTER_TAX, CreditNote, Invoice, InvoiceLine, Tax

_HEAD = (
    "invoice",
    "line",
    "kind",
    "name",
    "plan",
    "plan_version",
    "plan_name",
    "period_start",
    "period_end",
    "charge_start",
    "charge_end",
    "late",
    "quantity",
    "included",
    "unit_size",
    "price",
    "share",
    "tax_percent",
    "taxable",
    "exact",
    "amount",
    "currency",
)


def invoice_csv(invoice: Invoice) -> str:
    """Write an invoice as CSV (RFC 4180), numbers in full. A draft has no number.

    ``charge_start`` to ``charge_end`` is the time of a charge's line: the part of the
    period on its plan, or of a yearly fee the time that is asked for or given back. A fee whose
    number changed has a row for each number; ``share`` is the part of the month that it is for.
    """
    rows = [
        *(
            _row(invoice, printed)
            for line in invoice.lines
            if line.kind not in AFTER_TAX
            for printed in printed_lines(line)
        ),
        _sum(invoice, "subtotal", "Subtotal", words.before_tax(invoice)),
        *(_tax(invoice, tax) for tax in invoice.taxes),
        *(_below(invoice, "tax_note", note, *[""] * 5) for note in invoice.tax_notes),
        *(_row(invoice, line) for line in invoice.lines if line.kind in AFTER_TAX),
        _sum(invoice, "total", "Total", invoice.total),
    ]
    return csv_text(_HEAD, rows)


def credit_note_csv(invoice: Invoice, note: CreditNote) -> str:
    """Write a credit note as CSV, in the columns of an invoice; amounts are what is credited."""
    return invoice_csv(as_credited(invoice, note))


def _row(invoice: Invoice, line: InvoiceLine) -> list[object]:
    charge = line.charge
    return [
        invoice.number or "",
        line.line,
        line.kind,
        spreadsheet_cell(line.name),
        line.plan or "",
        line.plan_version or "",
        spreadsheet_cell(line.plan_name or ""),
        line.period.start.isoformat(),
        line.period.end.isoformat(),
        "" if charge is None else charge.start.isoformat(),
        "" if charge is None else charge.end.isoformat(),
        "yes" if line.late else "no",
        "" if line.quantity is None else plain(line.quantity),
        "" if charge is None else plain(charge.included),
        "" if charge is None else charge.unit_size,
        "" if charge is None or charge.price is None else plain(charge.price),
        "" if charge is None else plain(words.share(charge)),
        "",
        "",
        plain(line.exact),
        line.amount.amount,
        line.amount.currency,
    ]


def _sum(invoice: Invoice, kind: str, name: str, amount: Money) -> list[object]:
    return _below(invoice, kind, name, "", "", "", amount.amount, amount.currency)


def _tax(invoice: Invoice, tax: Tax) -> list[object]:
    within = ", included" if tax.inclusive else ""
    name = f"{tax.name} {plain(tax.percent)}%{within}"
    amounts = (tax.taxable.amount, "", tax.amount.amount, tax.amount.currency)
    return _below(invoice, "tax", name, plain(tax.percent), *amounts)


def _below(invoice: Invoice, kind: str, name: str, *last: object) -> list[object]:
    """A row below the lines; ``last`` are its columns from ``tax_percent`` on."""
    row: list[object] = [invoice.number or "", "", kind, spreadsheet_cell(name)]
    return [*row, *[""] * (len(_HEAD) - len(row) - len(last)), *last]
