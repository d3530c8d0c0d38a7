"""The tables of the credit page: grants as they burn, top-ups, payments, the ledger."""

from __future__ import annotations

import reflex as rx

from portal.features.credit.rows import GrantRow, LedgerRow, TopUpRow
from portal.features.credit.state import Credit
from portal.kit.blocks import card
from portal.kit.fields import labeled, pager
from portal.kit.plain import plain_link
from portal.kit.tables import actions, moment, remark, row_action, wide_table
from portal.kit.vars import each, length, negated, pick


def grants() -> rx.Component:
    """What is left and, if asked for, what is used up or over."""
    return card(
        wide_table(
            "grants",
            ("Credit", "Order", "Left", "Expires after", "Actions"),
            each(Credit.grants, _grant),
            rx.cond(Credit.shows_over, each(Credit.over, _grant)),
            numbers=("Left",),
        ),
        rx.cond(
            (length(Credit.grants) == 0) & negated(Credit.shows_over),
            remark(
                pick(
                    length(Credit.over) > 0,
                    "All credit is used or expired.",
                    "No credit yet.",
                ),
                size="2",
            ),
        ),
        remark(
            "Used first: what expires first, then the lower priority, then promotional before "
            "purchased, then the oldest."
        ),
        heading="Credit, in order of use",
        aside=rx.cond(
            length(Credit.over) > 0,
            labeled(
                "Show used and expired",
                rx.switch(checked=Credit.shows_over, on_change=Credit.show_over),
            ),
        ),
    )


def _grant(grant: GrantRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.flex(
                rx.text(grant.name, size="2", weight="medium"),
                rx.badge(grant.kind, color_scheme=grant.color, size="1"),
                spacing="2",
                align="center",
                wrap="wrap",
            ),
            rx.cond(grant.about != "", rx.text(grant.about, size="1", color_scheme="gray")),
        ),
        rx.table.cell(pick(grant.place != "", grant.place, "–")),
        rx.table.cell(
            rx.text(grant.left, size="2"),
            rx.text("of ", grant.amount, size="1", color_scheme="gray"),
            rx.cond(grant.where != "", rx.text(grant.where, size="1", color_scheme="gray")),
            class_name="fb-number",
        ),
        rx.table.cell(
            rx.cond(
                grant.soon,
                rx.badge(grant.last_day, color_scheme="orange"),
                rx.text(grant.last_day, size="2"),
            ),
            white_space="nowrap",
        ),
        actions(
            rx.cond(
                Credit.operates & grant.refundable,
                row_action(
                    "Refund",
                    Credit.open_refund(grant.id),
                    label="Refund what is left of " + grant.name,
                    size="1",
                ),
            )
        ),
        vertical_align="middle",
    )


def top_ups() -> rx.Component:
    """What the customer asked to buy, and what became of it."""
    return rx.cond(
        length(Credit.top_ups) > 0,
        card(
            wide_table(
                "top-ups",
                ("Requested", "Amount", "Status", "Settled", "Actions"),
                each(Credit.top_ups, _top_up),
                numbers=("Amount",),
            ),
            rx.cond(Credit.more_top_ups, remark("The newest 20; the API has all of them.")),
            heading="Top-ups",
        ),
    )


def _top_up(top_up: TopUpRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(top_up.asked, size="2"), rx.text(top_up.how, size="1", color_scheme="gray")
        ),
        rx.table.cell(top_up.amount, class_name="fb-number"),
        rx.table.cell(rx.badge(top_up.state, color_scheme=top_up.color)),
        rx.table.cell(rx.text(top_up.done, size="2", class_name="fb-id"), min_width="9rem"),
        actions(
            rx.cond(
                top_up.state == "Pending",
                rx.fragment(
                    rx.cond(Credit.payable, _pay(top_up)),
                    rx.cond(Credit.operates, _decide(top_up)),
                ),
            ),
            rx.cond(Credit.own & (top_up.document != ""), _document(top_up)),
        ),
        vertical_align="middle",
    )


def _document(top_up: TopUpRow) -> rx.Component:
    """The invoice or the receipt of a top-up, as files."""
    return rx.flex(
        *[
            plain_link(
                kind.upper(),
                href="/downloads/invoices/" + top_up.document + "." + kind,
                download=True,
                aria_label="Document of " + top_up.amount + " as " + kind.upper(),
                style={"color": "var(--accent-11)", "font_size": "var(--font-size-2)"},
            )
            for kind in ("pdf", "csv")
        ],
        spacing="3",
        justify="end",
    )


def _pay(top_up: TopUpRow) -> rx.Component:
    return row_action(
        "Pay",
        Credit.pay(top_up.id),
        label="Pay " + top_up.amount + ", requested " + top_up.asked,
        size="1",
    )


def _decide(top_up: TopUpRow) -> rx.Component:
    return row_action(
        "Record payment",
        Credit.open_outcome(top_up.id, top_up.tenant_id),
        label="Record payment of " + top_up.amount + ", requested " + top_up.asked,
        size="1",
    )


def waiting() -> rx.Component:
    """The payments that the operator has to tell of."""
    return card(
        wide_table(
            "waiting",
            ("Customer", "Requested", "Amount", "Actions"),
            each(Credit.waiting, _waits),
            numbers=("Amount",),
        ),
        heading="Pending payments, all customers",
    )


def _waits(top_up: TopUpRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            row_action(
                top_up.customer,
                Credit.pick_customer(top_up.tenant_id),
                label="Show the credit of " + top_up.customer,
            )
        ),
        rx.table.cell(
            rx.text(top_up.asked, size="2"), rx.text(top_up.how, size="1", color_scheme="gray")
        ),
        rx.table.cell(top_up.amount, class_name="fb-number"),
        actions(_decide(top_up)),
        vertical_align="middle",
    )


def ledger() -> rx.Component:
    """All that was done with the credit, a page at a time."""
    return card(
        wide_table(
            "ledger",
            ("When", "What", "Credit", "Cause", "Amount"),
            each(Credit.ledger, _entry),
            numbers=("Amount",),
            size="1",
        ),
        pager(Credit.number, Credit.older, Credit.show_newer, Credit.show_older),
        heading="Ledger",
        aside=rx.text("Entries never change.", size="1", color_scheme="gray"),
    )


def _entry(entry: LedgerRow) -> rx.Component:
    return rx.table.row(
        moment(entry.time, entry.day),
        rx.table.row_header_cell(entry.what),
        rx.table.cell(entry.grant),
        rx.table.cell(
            rx.cond(
                entry.document != "",
                rx.link(
                    "Invoice",
                    href=entry.document,
                    title=entry.cause,
                    aria_label="Invoice " + entry.cause,
                ),
                rx.text(entry.cause, size="1", color_scheme="gray", class_name="fb-id"),
            ),
            min_width="8rem",
        ),
        rx.table.cell(entry.amount, class_name="fb-number"),
        vertical_align="middle",
    )
