"""What would change in usage and in what billing periods cost, for previews."""

from __future__ import annotations

import reflex as rx

from portal.features.corrections.change_rows import ChangeRow, PeriodRow
from portal.kit.tables import moment, table, wide_table
from portal.kit.vars import each, length

_AMOUNTS = ("Costs now", "Would cost", "Difference")


def changes_preview(
    changes: list[ChangeRow], left_out: int, periods: list[PeriodRow]
) -> rx.Component:
    """Two tables: usage by quarter hour, and billing periods with before and after."""
    return rx.flex(
        rx.box(
            rx.heading("Usage", as_="h2", size="2", weight="medium"),
            rx.cond(
                length(changes) > 0,
                rx.box(
                    _usage(changes),
                    class_name="fb-scroll",
                    tab_index=0,
                    role="region",
                    aria_label="What changes in usage",
                    style={"maxHeight": "16rem"},
                ),
                rx.text("Nothing changes.", size="2", color_scheme="gray", margin_top="4px"),
            ),
            rx.cond(
                left_out > 0,
                rx.text(
                    "And ",
                    left_out,
                    " more quarter hours and meters.",
                    size="1",
                    color_scheme="gray",
                    margin_top="var(--space-2)",
                ),
            ),
            min_width="0",
        ),
        rx.cond(
            length(periods) > 0,
            rx.box(
                rx.heading("Billing periods", as_="h2", size="2", weight="medium"),
                wide_table(
                    "periods",
                    ("Period", *_AMOUNTS),
                    each(periods, _period),
                    numbers=_AMOUNTS,
                    size="1",
                ),
                min_width="0",
            ),
        ),
        direction="column",
        spacing="4",
        min_width="0",
    )


def _usage(changes: list[ChangeRow]) -> rx.Component:
    return table(
        "changes",
        ("Quarter hour", "Model", "Meter", "Change"),
        each(changes, _change),
        numbers=("Change",),
        size="1",
    )


def _change(change: ChangeRow) -> rx.Component:
    return rx.table.row(
        moment(change.time, change.day),
        rx.table.row_header_cell(
            rx.text(change.what, size="2"),
            rx.text(change.about, size="1", color_scheme="gray", class_name="fb-id"),
        ),
        rx.table.cell(change.meter),
        rx.table.cell(rx.text(change.quantity, size="2", weight="medium"), class_name="fb-number"),
        vertical_align="middle",
    )


def _period(row: PeriodRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(row.period, size="2"),
            rx.cond(row.note != "", rx.text(row.note, size="1", color_scheme="gray")),
        ),
        rx.table.cell(row.before, class_name="fb-number"),
        rx.table.cell(row.after, class_name="fb-number"),
        rx.table.cell(rx.text(row.difference, size="2", weight="medium"), class_name="fb-number"),
        vertical_align="middle",
    )
