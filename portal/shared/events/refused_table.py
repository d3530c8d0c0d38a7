"""A table of refused events."""

from __future__ import annotations

import reflex as rx

from portal.kit.tables import remark, wide_table
from portal.kit.vars import each
from portal.shared.events.refused_rows import RefusedRow


def refused_table(rows: list[RefusedRow], *, of_all: bool) -> rx.Component:
    """Each reason with how often, and the last event; ``of_all`` names the customers too."""
    customer = ("Customer",) if of_all else ()
    return rx.fragment(
        wide_table(
            "refused-events",
            (*customer, "Reason", "Events", "Last event", "Sent by", "Last"),
            each(rows, lambda row: _row(row, of_all=of_all)),
            numbers=("Events",),
            size="1",
        ),
        remark(
            "By day (UTC) and reason. Of the events, only the id and source of the last are kept."
        ),
    )


def _row(row: RefusedRow, *, of_all: bool) -> rx.Component:
    reason = (
        rx.cond(row.field != "", rx.text(row.field, size="1", class_name="fb-id")),
        rx.text(row.reason, size="2"),
    )
    first = (
        (
            rx.table.row_header_cell(row.customer),
            rx.table.cell(*reason, min_width="14rem", max_width="22rem"),
        )
        if of_all
        else (rx.table.row_header_cell(*reason, min_width="14rem", max_width="22rem"),)
    )
    return rx.table.row(
        *first,
        rx.table.cell(row.events, class_name="fb-number"),
        rx.table.cell(
            rx.text(row.sample, size="2", class_name="fb-id"),
            rx.text(row.source, size="1", color_scheme="gray", class_name="fb-id"),
            max_width="16rem",
        ),
        rx.table.cell(
            rx.text(row.sender, size="2"),
            rx.text(row.credential, size="1", color_scheme="gray"),
        ),
        rx.table.cell(row.last, white_space="nowrap"),
        key=row.id,
        vertical_align="middle",
    )
