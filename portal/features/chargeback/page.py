"""Chargeback: what each department bears of a month, and the rules by which it does."""

from __future__ import annotations

import reflex as rx

from portal.features.chargeback.policy_cards import policy_section
from portal.features.chargeback.rows import BearerRow, PartRow
from portal.features.chargeback.state import Chargeback
from portal.kit.blocks import card, empty, figure, loading_rows, success
from portal.kit.dialogs import confirmation
from portal.kit.fields import choice
from portal.kit.icon import icon
from portal.kit.plain import plain_link
from portal.kit.tables import actions, remark, row_action, wide_table
from portal.kit.vars import each, length, pick
from portal.shell.feature import Page
from portal.shell.loaded import loaded

_NUMBERS = ("Cost", "Earlier months", "Charged", "Budget used")
_DETAILS = ("Earlier months", "Budget used")
"""Left out on a phone, where the name and two amounts are what fits."""


def page() -> Page:
    """The page."""
    return Page(
        state=Chargeback,
        content=(
            success(Chargeback.done, margin_bottom="var(--space-5)"),
            loaded(
                Chargeback,
                rx.flex(
                    rx.cond(length(Chargeback.months) > 0, _month(), _none()),
                    policy_section(),
                    direction="column",
                    spacing="5",
                ),
                skeleton=card(loading_rows(6)),
            ),
        ),
        lead="What each department bears of your invoices, month by month.",
        actions=rx.cond(
            (Chargeback.phase == "ready") & (length(Chargeback.months) > 0), _actions()
        ),
        query=Chargeback.query,
    )


def _none() -> rx.Component:
    return card(
        empty(
            "network",
            "No month yet",
            "The first begins with your plan. Departments can be set up before.",
            id="no-months",
        )
    )


def _actions() -> rx.Component:
    return rx.flex(
        choice(
            "Month",
            Chargeback.month,
            Chargeback.choose_month,
            each(Chargeback.months, lambda month: rx.select.item(month.name, value=month.id)),
            width="auto",
        ),
        rx.cond(Chargeback.can_close & Chargeback.plans_change, _close()),
        align="center",
        spacing="3",
        wrap="wrap",
    )


def _close() -> rx.Component:
    return confirmation(
        rx.button(icon("lock", size=16), "Close month"),
        "Close this month?",
        "Its statement is kept as it is now and can’t be changed. What comes late is borne by the "
        "next month.",
        rx.button("Close month", on_click=Chargeback.close_month),
    )


def _month() -> rx.Component:
    return rx.fragment(
        rx.grid(
            figure("Cost", Chargeback.cost, Chargeback.tax, loading=False),
            figure("Charged", Chargeback.charged, Chargeback.margin, loading=False),
            figure(
                "Unallocated",
                Chargeback.unallocated,
                rx.cond(
                    Chargeback.has_unallocated,
                    rx.text("No rule takes it to a cost center", size="2", color_scheme="orange"),
                    rx.text("All of it is borne by cost centers", size="2", color_scheme="gray"),
                ),
                loading=False,
            ),
            columns=rx.breakpoints(initial="1", sm="3"),
            spacing="4",
        ),
        card(
            rx.cond(
                length(Chargeback.rows) > 0,
                wide_table(
                    "statement",
                    ("Department", *_NUMBERS, "Actions"),
                    each(Chargeback.rows, _row),
                    numbers=_NUMBERS,
                    wide_only=_DETAILS,
                ),
                empty(
                    "receipt",
                    "Nothing was billed in this month",
                    "Its statement begins with the first invoice.",
                    id="no-statement",
                ),
            ),
            rx.cond(Chargeback.opened != "", _parts()),
            _files(),
            heading="Statement",
            aside=rx.flex(
                rx.badge(Chargeback.status, color_scheme=Chargeback.color),
                rx.text(Chargeback.note, size="2", color_scheme="gray"),
                spacing="2",
                align="center",
                wrap="wrap",
            ),
            id="statement-card",
        ),
    )


def _row(row: BearerRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.box(
                rx.text(
                    row.name,
                    weight=pick(row.strong, "medium", "regular"),
                    color_scheme=pick(row.warns, "orange", "gray"),
                    high_contrast=True,
                ),
                rx.cond(row.code != "", rx.text(row.code, size="1", color_scheme="gray")),
                padding_left=row.indent,
            )
        ),
        rx.table.cell(row.cost, class_name="fb-number"),
        rx.table.cell(
            pick(row.adjustments != "", row.adjustments, "–"), class_name="fb-number fb-wide-only"
        ),
        rx.table.cell(row.charged, class_name="fb-number"),
        rx.table.cell(
            rx.cond(
                row.over,
                rx.text(row.budget, size="2", color_scheme="red"),
                rx.text(row.budget, size="2"),
            ),
            class_name="fb-number fb-wide-only",
        ),
        actions(
            row_action(
                "Lines",
                Chargeback.open_row(row.opens, row.name),
                label="Lines of " + row.name,
            )
        ),
        vertical_align="middle",
    )


def _parts() -> rx.Component:
    return rx.box(
        rx.flex(
            rx.heading("Lines of ", Chargeback.opened_name, as_="h3", size="2"),
            rx.button(
                "Hide",
                variant="ghost",
                color_scheme="gray",
                on_click=Chargeback.close_row,
                aria_label="Hide the lines",
            ),
            justify="between",
            align="center",
            margin_y="var(--space-4)",
        ),
        wide_table(
            "statement-lines",
            ("Line", "Borne by", "Quantity", "Cost", "Charged"),
            each(Chargeback.parts, _part),
            numbers=("Quantity", "Cost", "Charged"),
        ),
        rx.cond(length(Chargeback.parts) == 0, remark("There is no line here.", size="2")),
        rx.cond(
            Chargeback.more_parts,
            remark("These are the first 100; the CSV has all of them.", size="2"),
        ),
        id="lines-of-row",
    )


def _part(part: PartRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(part.name),
            rx.text(part.detail, size="1", color_scheme="gray"),
        ),
        rx.table.cell(part.bearer),
        rx.table.cell(part.quantity, class_name="fb-number"),
        rx.table.cell(part.cost, class_name="fb-number"),
        rx.table.cell(part.charged, class_name="fb-number"),
        vertical_align="middle",
    )


def _files() -> rx.Component:
    journals = (
        ("Journal", "csv.csv"),
        ("DATEV", "datev.csv"),
        ("QuickBooks", "quickbooks.csv"),
        ("Xero", "xero.csv"),
    )
    return rx.flex(
        *[
            _file(name, kind)
            for name, kind in (
                ("PDF", "statement.pdf"),
                ("CSV", "statement.csv"),
                ("FOCUS 1.2", "focus.csv"),
            )
        ],
        *[rx.cond(Chargeback.has_journal, _file(name, kind)) for name, kind in journals],
        spacing="4",
        wrap="wrap",
        margin_top="var(--space-4)",
        id="chargeback-files",
    )


def _file(name: str, kind: str) -> rx.Component:
    return plain_link(
        name,
        href="/downloads/chargeback/" + Chargeback.month + "/" + kind,
        download=True,
        aria_label="The month as " + name,
        style={"color": "var(--accent-11)", "font_size": "var(--font-size-2)"},
    )
