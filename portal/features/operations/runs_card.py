"""The last invoice runs, and how far each is."""

from __future__ import annotations

import reflex as rx

from portal.features.operations.runs_rows import RunRow
from portal.features.operations.runs_state import InvoiceRuns
from portal.kit.blocks import card, empty, loading_rows
from portal.kit.tables import wide_table
from portal.kit.vars import each, length
from portal.shell.loaded import loaded


def invoice_runs() -> rx.Component:
    """A card that follows the runs."""
    return card(
        loaded(
            InvoiceRuns,
            rx.cond(
                length(InvoiceRuns.runs) > 0,
                wide_table(
                    "invoice-runs",
                    ("Started", "Status", "Progress", "Outcome"),
                    each(InvoiceRuns.runs, _row),
                ),
                empty(
                    "calendar-check",
                    "No invoice run yet",
                    "A worker invoices each billing period after its grace period.",
                ),
            ),
            retry=InvoiceRuns.watch,
            skeleton=loading_rows(2),
        ),
        heading="Invoice runs",
    )


def _row(run: RunRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(run.started),
        rx.table.cell(rx.badge(run.state, color_scheme=run.color)),
        rx.table.cell(
            rx.text(run.progress, size="2", white_space="nowrap"),
            rx.progress(
                value=run.percent,
                size="1",
                margin_top="6px",
                aria_label="Progress of the run of " + run.started,
            ),
            min_width="11rem",
        ),
        rx.table.cell(rx.text(run.outcome, size="2", color_scheme="gray"), min_width="12rem"),
        vertical_align="middle",
    )
