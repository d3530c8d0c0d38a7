"""CSV for spreadsheets."""

from __future__ import annotations


def spreadsheet_cell(value: str | None) -> str:
    """Return a text that no spreadsheet reads as a formula."""
    text = value or ""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
