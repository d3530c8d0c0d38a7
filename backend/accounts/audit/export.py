"""The audit as a file: CSV for spreadsheets, JSON lines for programs. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from backend.kit.spreadsheets import csv_text, spreadsheet_cell
from backend_client.types.audit import AuditEntry

COLUMNS = (
    "at",
    "actor",
    "actor_name",
    "actor_kind",
    "action",
    "target",
    "tenant_id",
    "address",
    "request_id",
    "detail",
    "id",
)
"""The columns of the CSV; ``detail`` is JSON."""


def audit_csv(entries: Sequence[AuditEntry], *, head: bool) -> str:
    """Return entries as rows of CSV (RFC 4180), with the columns' names before them if ``head``."""
    text = csv_text(COLUMNS, [_cells(entry) for entry in entries])
    return text if head else text.partition("\r\n")[2]


def audit_lines(entries: Sequence[AuditEntry]) -> str:
    """Return entries as JSON lines, each as the API shows it."""
    return "".join(f"{entry.model_dump_json()}\n" for entry in entries)


def _cells(entry: AuditEntry) -> list[str]:
    shown = entry.model_dump(mode="json")
    shown["detail"] = json.dumps(shown["detail"], ensure_ascii=False, sort_keys=True)
    return [spreadsheet_cell(shown[name]) for name in COLUMNS]
