"""The schedule of revenue as CSV: a row for each month, kind, currency and tenant."""

from __future__ import annotations

from collections.abc import Iterable

from backend.kit.spreadsheets import csv_text
from backend_client.types.accounting import RevenueMonth

_AMOUNTS = ("opening", "additions", "released", "recognized", "breakage", "closing")


def revenue_csv(rows: Iterable[tuple[str, RevenueMonth]]) -> str:
    """Write rows, each with its tenant."""
    head = ("tenant", "month", "kind", "currency", *_AMOUNTS, "provisional")
    return csv_text(
        head,
        (
            [
                tenant,
                row.month.isoformat(),
                row.kind.value,
                row.currency,
                *(f"{getattr(row, name).amount:f}" for name in _AMOUNTS),
                "yes" if row.provisional else "no",
            ]
            for tenant, row in rows
        ),
    )
