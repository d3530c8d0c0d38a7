"""Discrepancies as CSV (RFC 4180), numbers in full."""

from __future__ import annotations

from collections.abc import Sequence

from backend.kit.spreadsheets import csv_text, spreadsheet_cell
from backend_client.types.common import plain
from backend_client.types.reconciliation import Discrepancy

_COLUMNS = (
    *("day", "model", "meter", "kind", "currency", "provider", "metered", "difference"),
    *("cause", "explanation", "status", "notes"),
)


def discrepancies_csv(discrepancies: Sequence[Discrepancy]) -> str:
    """Return a row for each discrepancy; its notes are in one cell, oldest first."""
    return csv_text(_COLUMNS, map(_cells, discrepancies))


def _cells(discrepancy: Discrepancy) -> list[object]:
    notes = "; ".join(
        f"{note.at:%Y-%m-%d} {note.status}: {note.text}" for note in discrepancy.notes
    )
    return [
        discrepancy.day.isoformat(),
        spreadsheet_cell(discrepancy.model),
        discrepancy.meter,
        discrepancy.kind.value,
        discrepancy.currency or "",
        plain(discrepancy.provider),
        "" if discrepancy.metered is None else plain(discrepancy.metered),
        plain(discrepancy.difference),
        discrepancy.cause.value,
        spreadsheet_cell(discrepancy.explanation),
        discrepancy.status.value,
        spreadsheet_cell(notes),
    ]
