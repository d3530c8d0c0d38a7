"""Journal entries as the files that accounting programs import.

The columns are those of the programs' own templates:

- QuickBooks Online, "Import journal entries": journal number, date, account name, debits, credits
  and description; class and location where they are tracked.
- Xero, "Add, import and post manual journals": narration, date, description, account code, tax
  rate, amount (debits above zero) and tracking.
- DATEV, "DATEV-Format, Buchungsstapel": a head of 31 fields, the names of 125 columns, and lines
  in Windows-1252 with semicolons and decimal commas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, assert_never

from backend.accounting.errors import JournalNotExpressible
from backend.accounting.forms.datev import datev_file
from backend.accounting.rules.journals import Journal, JournalLine
from backend.kit.spreadsheets import csv_text, spreadsheet_cell
from backend_client.types.journals import (
    JournalColumn,
    JournalField,
    JournalFormat,
    JournalForms,
)

_FIELDS: Final[Mapping[JournalField, Callable[[Journal, int, JournalLine], str]]] = {
    JournalField.REFERENCE: lambda entry, _, line: entry.reference,
    JournalField.DATE: lambda entry, _, line: entry.booked_on.isoformat(),
    JournalField.LINE: lambda _, number, line: str(number),
    JournalField.ACCOUNT: lambda _, number, line: spreadsheet_cell(line.account),
    JournalField.COST_CENTER: lambda _, number, line: line.cost_center or "",
    JournalField.DEBIT: lambda _, number, line: _side(line.amount),
    JournalField.CREDIT: lambda _, number, line: _side(-line.amount),
    JournalField.AMOUNT: lambda _, number, line: f"{line.amount:f}",
    JournalField.CURRENCY: lambda entry, _, line: entry.currency,
    JournalField.TEXT: lambda _, number, line: spreadsheet_cell(line.text),
    JournalField.KIND: lambda entry, _, line: entry.kind,
    JournalField.TENANT: lambda entry, _, line: entry.tenant,
    JournalField.DOCUMENT: lambda entry, _, line: entry.document,
}

_OF_DOCUMENTS = {JournalField.KIND, JournalField.TENANT, JournalField.DOCUMENT}
"""What only entries of the seller have, which are made of documents."""
_QUICKBOOKS = [
    JournalColumn(heading="Journal No", field=JournalField.REFERENCE),
    JournalColumn(heading="Journal Date", field=JournalField.DATE),
    JournalColumn(heading="Account Name", field=JournalField.ACCOUNT),
    JournalColumn(heading="Debits", field=JournalField.DEBIT),
    JournalColumn(heading="Credits", field=JournalField.CREDIT),
    JournalColumn(heading="Description", field=JournalField.TEXT),
    JournalColumn(heading="Class", field=JournalField.COST_CENTER),
    JournalColumn(heading="Currency", field=JournalField.CURRENCY),
]
_XERO_HEAD = (
    "*Narration",
    "*Date",
    "Description",
    "*AccountCode",
    "*TaxRate",
    "*Amount",
    "TrackingName1",
    "TrackingOption1",
    "TrackingName2",
    "TrackingOption2",
)
_XERO_MOST_LINES = 300


def journal_file(
    entries: Sequence[Journal],
    forms: JournalForms,
    file_format: JournalFormat,
    fields: Mapping[str, str],
) -> str | bytes:
    """Write entries for a program; ``fields`` says in which field each account is set.

    Raises ``InvalidInput`` where the program's format has no room for them.
    """
    match file_format:
        case JournalFormat.CSV:
            return _with_columns(entries, forms.columns or _all_columns(entries))
        case JournalFormat.QUICKBOOKS:
            return _with_columns(entries, _QUICKBOOKS)
        case JournalFormat.XERO:
            return _xero(entries, forms)
        case JournalFormat.DATEV:
            return datev_file(entries, forms, fields)
        case _:
            assert_never(file_format)


def _all_columns(entries: Sequence[Journal]) -> list[JournalColumn]:
    of_documents = any(entry.kind for entry in entries)
    return [
        JournalColumn(heading=field.value, field=field)
        for field in JournalField
        if of_documents or field not in _OF_DOCUMENTS
    ]


def _with_columns(entries: Sequence[Journal], columns: Sequence[JournalColumn]) -> str:
    rows = (
        [_FIELDS[column.field](entry, number, line) for column in columns]
        for entry in entries
        for number, line in enumerate(entry.lines, start=1)
    )
    return csv_text([spreadsheet_cell(column.heading) for column in columns], rows)


def _xero(entries: Sequence[Journal], forms: JournalForms) -> str:
    lines = [(entry, line) for entry in entries for line in entry.lines]
    if len(lines) > _XERO_MOST_LINES:
        raise JournalNotExpressible(
            f"Xero imports {_XERO_MOST_LINES} lines at once, and here are {len(lines)}: "
            "use another format."
        )
    return csv_text(_XERO_HEAD, [_xero_row(entry, forms, line) for entry, line in lines])


def _xero_row(entry: Journal, forms: JournalForms, line: JournalLine) -> list[str]:
    tracking = ["Cost center", line.cost_center] if line.cost_center else ["", ""]
    return [
        entry.reference,
        f"{entry.booked_on:%d/%m/%Y}",
        spreadsheet_cell(line.text),
        spreadsheet_cell(line.account),
        spreadsheet_cell(forms.tax_rate),
        f"{line.amount:f}",
        *tracking,
        "",
        "",
    ]


def _side(amount: Decimal) -> str:
    return f"{amount:f}" if amount > 0 else ""
