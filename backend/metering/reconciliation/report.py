"""Discrepancies as CSV (RFC 4180), numbers in full."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from backend.kit.spreadsheets import spreadsheet_cell
from backend_client.types.common import plain
from backend_client.types.reconciliation import Discrepancy

_COLUMNS = (
    *("day", "model", "meter", "kind", "currency", "provider", "metered", "difference"),
    *("cause", "explanation", "status", "notes"),
)


def discrepancies_csv(found: Sequence[Discrepancy]) -> str:
    """Write a row for each discrepancy; its notes are in one cell, oldest first."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for one in found:
        notes = "; ".join(f"{note.at:%Y-%m-%d} {note.status}: {note.text}" for note in one.notes)
        writer.writerow(
            [
                one.day.isoformat(),
                spreadsheet_cell(one.model),
                one.meter,
                one.kind.value,
                one.currency or "",
                plain(one.provider),
                "" if one.metered is None else plain(one.metered),
                plain(one.difference),
                one.cause.value,
                spreadsheet_cell(one.explanation),
                one.status.value,
                spreadsheet_cell(notes),
            ]
        )
    return out.getvalue()
