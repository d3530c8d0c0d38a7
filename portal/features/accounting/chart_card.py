"""The chart of accounts as a table, with what of it is not saved."""

from __future__ import annotations

import reflex as rx

from portal.features.accounting.chart import ChartRow
from portal.features.accounting.chart_dialogs import chart_dialogs
from portal.features.accounting.chart_state import Chart
from portal.kit.blocks import card, loading_rows, stale, success
from portal.kit.icon import icon
from portal.kit.leaving import unsaved_changes
from portal.kit.tables import actions, remark, row_action, wide_table
from portal.kit.vars import each
from portal.shell.loaded import loaded


def chart_section() -> rx.Component:
    """All of it; it loads and fails by itself, and the books above stay."""
    return rx.box(
        stale(Chart.problem, Chart.phase),
        success(Chart.done, margin_bottom="var(--space-4)"),
        loaded(Chart, _chart(), retry=Chart.load, skeleton=card(loading_rows(6))),
        rx.cond(Chart.unsaved != "", unsaved_changes()),
        chart_dialogs(),
        id="accounts",
    )


def _chart() -> rx.Component:
    return card(
        rx.box(rx.cond(Chart.unsaved != "", _unsaved()), role="status"),
        wide_table(
            "chart",
            ("Posting", "Account", "Actions"),
            each(Chart.rows, _row),
            long=True,
        ),
        remark(
            "Journals and their files name these accounts, in every month: entries are made of "
            "documents each time. Amounts and references stay the same.",
            size="2",
        ),
        rx.cond(Chart.changed_on != "", remark("Last changed on ", Chart.changed_on, ".")),
        heading="Chart of accounts",
        aside=rx.flex(
            rx.button("Reset all", on_click=Chart.reset_all, variant="soft", color_scheme="gray"),
            rx.button(
                icon("plus", size=16),
                "Add an account",
                on_click=Chart.ask_add,
                variant="soft",
                color_scheme="gray",
            ),
            spacing="3",
            wrap="wrap",
        ),
    )


def _unsaved() -> rx.Component:
    return rx.callout.root(
        rx.callout.icon(icon("pencil", size=16)),
        rx.flex(
            rx.text(Chart.unsaved, " not saved. The books use the saved accounts.", size="2"),
            rx.flex(
                rx.button("Discard", on_click=Chart.discard, variant="soft", color_scheme="gray"),
                # Not the callout's own color, on which white can't be read
                rx.button("Save…", on_click=Chart.ask_save, high_contrast=True),
                spacing="3",
                wrap="wrap",
            ),
            justify="between",
            align="center",
            spacing="3",
            wrap="wrap",
            flex_grow="1",
        ),
        display="flex",
        align_items="center",
        color_scheme="orange",
        size="1",
        margin_bottom="var(--space-4)",
        id="unsaved",
    )


def _row(row: ChartRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(row.name),
            rx.text(row.about, size="1", color_scheme="gray"),
        ),
        rx.table.cell(
            rx.box(
                rx.text(row.account, overflow_wrap="anywhere"),
                rx.cond(row.note != "", rx.text(row.note, size="1", color_scheme="orange")),
                rx.box(
                    rx.cond(row.problem != "", rx.text(row.problem, size="1", color_scheme="red")),
                    role="alert",
                ),
            ),
        ),
        actions(row_action("Change", Chart.ask_edit(row.id), label="Change " + row.name)),
        vertical_align="middle",
    )
