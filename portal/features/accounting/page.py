"""Accounting, for the operator: a month's revenue, what is deferred beyond it, its journal.

Below them is the chart of accounts, which all months have in common.
"""

from __future__ import annotations

import reflex as rx

from portal.features.accounting.chart_card import chart_section
from portal.features.accounting.rows import EVERYBODY, LineRow, RevenueRow
from portal.features.accounting.state import Accounting
from portal.kit.blocks import card, empty, loading_rows
from portal.kit.fields import choice
from portal.kit.plain import plain_link
from portal.kit.tables import remark, wide_table
from portal.kit.vars import each, length
from portal.shell.feature import Page
from portal.shell.loaded import loaded

_AMOUNTS = ("Opening", "Added", "Released", "Recognized", "Closing")
_JOURNALS = (
    ("CSV", "csv"),
    ("DATEV", "datev"),
    ("QuickBooks", "quickbooks"),
    ("Xero", "xero"),
)
_LINK = {"color": "var(--accent-11)", "font_size": "var(--font-size-2)"}


def page() -> Page:
    """The page."""
    return Page(
        state=Accounting,
        content=(
            loaded(
                Accounting,
                rx.flex(
                    _revenue(),
                    rx.cond(length(Accounting.deferred) > 0, _deferred()),
                    _journal(),
                    direction="column",
                    spacing="5",
                ),
                skeleton=card(loading_rows(6)),
            ),
            # Not before what is above it is there, and would move it
            rx.cond(
                Accounting.phase != "loading",
                rx.box(chart_section(), margin_top="var(--space-5)"),
            ),
        ),
        lead="Your books: what each month earns, and every document as a balanced entry.",
        actions=rx.cond(Accounting.phase == "ready", _choices()),
        query=Accounting.query,
    )


def _choices() -> rx.Component:
    return rx.flex(
        choice(
            "Month",
            Accounting.month,
            Accounting.choose_month,
            each(Accounting.months, lambda month: rx.select.item(month.name, value=month.id)),
            width="auto",
        ),
        choice(
            "Customer",
            Accounting.customer,
            Accounting.choose_customer,
            rx.select.item("All customers", value=EVERYBODY),
            each(
                Accounting.customers,
                lambda customer: rx.select.item(customer.name, value=customer.id),
            ),
            width="auto",
        ),
        spacing="3",
        wrap="wrap",
    )


def _revenue() -> rx.Component:
    def row(revenue: RevenueRow) -> rx.Component:
        return rx.table.row(rx.table.row_header_cell(revenue.kind), *_amounts(revenue))

    return card(
        rx.cond(
            length(Accounting.revenue) > 0,
            wide_table(
                "revenue",
                ("Revenue", *_AMOUNTS),
                each(Accounting.revenue, row),
                numbers=_AMOUNTS,
            ),
            remark("Nothing was invoiced, earned or carried on in this month.", size="2"),
        ),
        _files(("CSV", "revenue")),
        heading="Revenue of the month",
        aside=rx.cond(
            Accounting.provisional,
            rx.badge("Invoices of this month are still to come", color_scheme="orange"),
        ),
    )


def _deferred() -> rx.Component:
    def row(revenue: RevenueRow) -> rx.Component:
        return rx.table.row(rx.table.row_header_cell(revenue.month), *_amounts(revenue))

    return card(
        wide_table(
            "deferred",
            ("Month", *_AMOUNTS),
            each(Accounting.deferred, row),
            numbers=_AMOUNTS,
        ),
        remark("From the invoices so far, for twelve months from the chosen one."),
        heading="Deferred revenue by month",
    )


def _amounts(row: RevenueRow) -> list[rx.Component]:
    return [
        rx.table.cell(amount, class_name="fb-number")
        for amount in (row.opening, row.additions, row.released, row.recognized, row.closing)
    ]


def _journal() -> rx.Component:
    def row(line: LineRow) -> rx.Component:
        return rx.table.row(
            rx.table.cell(line.day, white_space="nowrap"),
            # An entry is named by its first line alone, and a header without a text names nothing
            rx.cond(
                line.reference != "",
                rx.table.row_header_cell(
                    rx.text(line.reference),
                    rx.text(line.text, size="1", color_scheme="gray"),
                ),
                rx.table.cell(),
            ),
            rx.table.cell(line.account),
            rx.table.cell(line.debit, class_name="fb-number"),
            rx.table.cell(line.credit, class_name="fb-number"),
        )

    return card(
        rx.cond(
            length(Accounting.lines) > 0,
            wide_table(
                "journal",
                ("Day", "Entry", "Account", "Debit", "Credit"),
                each(Accounting.lines, row),
                numbers=("Debit", "Credit"),
            ),
            empty("calculator", "Nothing to book", "This month has no document.", id="no-entries"),
        ),
        rx.cond(
            Accounting.more_lines,
            remark("These are the first lines; the files have all of them.", size="2"),
        ),
        _files(*_JOURNALS),
        heading="Journal",
        aside=plain_link("Chart of accounts", href="#accounts", style=_LINK),
    )


def _files(*files: tuple[str, str]) -> rx.Component:
    return rx.flex(
        *[
            plain_link(
                name,
                href="/downloads/accounting/"
                + Accounting.month
                + "/"
                + Accounting.customer
                + f"/{kind}.csv",
                target="_blank",
                aria_label=("Revenue as " if kind == "revenue" else "Journal as ") + name,
                style=_LINK,
            )
            for name, kind in files
        ],
        spacing="4",
        wrap="wrap",
        margin_top="var(--space-4)",
    )
