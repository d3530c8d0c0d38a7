"""CSV that is opened in a spreadsheet."""

from __future__ import annotations


def spreadsheet_cell(value: str | None) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    text = value or ""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
