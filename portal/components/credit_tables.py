"""The tables of the credit page: grants as they burn, top-ups, payments, the ledger."""

from __future__ import annotations

import reflex as rx

from portal.components.blocks import card
from portal.components.fields import pager
from portal.credit_rows import GrantRow, LedgerRow, TopUpRow
from portal.state.credit import Credit


def _head(*headings: str, numbers: tuple[str, ...] = ()) -> rx.Component:
    return rx.table.header(
        rx.table.row(
            *[
                rx.table.column_header_cell(
                    rx.el.span(heading, class_name="fb-unseen")
                    if heading == "Actions"
                    else heading,
                    class_name="fb-number" if heading in numbers else "",
                )
                for heading in headings
            ]
        )
    )


def grants() -> rx.Component:
    """What is left and, if asked for, what is used up or over."""
    return card(
        rx.box(
            rx.table.root(
                _head("Burns", "Credit", "Left", "Last day", "Actions", numbers=("Left",)),
                rx.table.body(
                    rx.foreach(Credit.grants, _grant),
                    rx.cond(Credit.shows_over, rx.foreach(Credit.over, _grant)),
                ),
                width="100%",
                id="grants",
            ),
            class_name="fb-wide",
        ),
        rx.cond(
            (Credit.grants.length() == 0) & ~Credit.shows_over,
            rx.text(
                rx.cond(
                    Credit.over.length() > 0,
                    "All of it is used up or over.",
                    "There is none yet.",
                ),
                size="2",
                color_scheme="gray",
                margin_top="var(--space-3)",
            ),
        ),
        rx.text(
            "What expires first burns first; then the lower priority, given before bought, the "
            "oldest.",
            size="1",
            color_scheme="gray",
            margin_top="var(--space-3)",
        ),
        heading="What is left, in the order it burns",
        aside=rx.cond(
            Credit.over.length() > 0,
            rx.text(
                rx.flex(
                    rx.switch(checked=Credit.shows_over, on_change=Credit.show_over),
                    "Also what is used up",
                    spacing="2",
                    align="center",
                ),
                as_="label",
                size="2",
            ),
        ),
    )


def _grant(grant: rx.Var[GrantRow]) -> rx.Component:
    return rx.table.row(
        rx.table.cell(rx.cond(grant.place != "", grant.place, "–")),
        rx.table.row_header_cell(
            rx.flex(
                rx.text(grant.name, size="2", weight="medium"),
                rx.badge(grant.kind, color_scheme=grant.colour, size="1"),
                spacing="2",
                align="center",
                wrap="wrap",
            ),
            rx.cond(grant.about != "", rx.text(grant.about, size="1", color_scheme="gray")),
        ),
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
        rx.table.cell(
            rx.cond(
                Credit.operates & grant.refundable,
                rx.button(
                    "Pay back",
                    variant="ghost",
                    size="1",
                    on_click=Credit.open_refund(grant.id),
                    aria_label="Pay back what is left of " + grant.name,
                ),
            ),
            text_align="right",
        ),
        vertical_align="middle",
    )


def top_ups() -> rx.Component:
    """What the customer asked to buy, and what became of it."""
    return rx.cond(
        Credit.top_ups.length() > 0,
        card(
            rx.box(
                rx.table.root(
                    _head(*("Asked", "Amount", "State", "Done", "Actions"), numbers=("Amount",)),
                    rx.table.body(rx.foreach(Credit.top_ups, _top_up)),
                    width="100%",
                    id="top-ups",
                ),
                class_name="fb-wide",
            ),
            rx.cond(
                Credit.more_top_ups,
                rx.text(
                    "The newest 20; the API has all of them.",
                    size="1",
                    color_scheme="gray",
                    margin_top="var(--space-3)",
                ),
            ),
            heading="Top-ups",
        ),
    )


def _top_up(one: rx.Var[TopUpRow]) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(one.asked, size="2"), rx.text(one.how, size="1", color_scheme="gray")
        ),
        rx.table.cell(one.amount, class_name="fb-number"),
        rx.table.cell(rx.badge(one.state, color_scheme=one.colour)),
        rx.table.cell(rx.text(one.done, size="2", class_name="fb-id"), min_width="9rem"),
        rx.table.cell(
            rx.cond(Credit.operates & (one.state == "Waits"), _decide(one)), text_align="right"
        ),
        vertical_align="middle",
    )


def _decide(one: rx.Var[TopUpRow]) -> rx.Component:
    return rx.button(
        "Note the payment",
        variant="ghost",
        size="1",
        on_click=Credit.open_outcome(one.id, one.tenant_id),
        aria_label="Note what became of the payment of " + one.amount + ", asked " + one.asked,
    )


def waiting() -> rx.Component:
    """The payments that the operator has to tell of."""
    return card(
        rx.box(
            rx.table.root(
                _head("Customer", "Asked", "Amount", "Actions", numbers=("Amount",)),
                rx.table.body(rx.foreach(Credit.waiting, _waits)),
                width="100%",
                id="waiting",
            ),
            class_name="fb-wide",
        ),
        heading="Payments that are waited for, of all customers",
    )


def _waits(one: rx.Var[TopUpRow]) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.button(
                one.customer,
                variant="ghost",
                on_click=Credit.pick_customer(one.tenant_id),
                aria_label="Show the credit of " + one.customer,
            )
        ),
        rx.table.cell(
            rx.text(one.asked, size="2"), rx.text(one.how, size="1", color_scheme="gray")
        ),
        rx.table.cell(one.amount, class_name="fb-number"),
        rx.table.cell(_decide(one), text_align="right"),
        vertical_align="middle",
    )


def ledger() -> rx.Component:
    """All that was done with the credit, a page at a time."""
    return card(
        rx.box(
            rx.table.root(
                _head("When", "What", "Credit", "Cause", "Amount", numbers=("Amount",)),
                rx.table.body(rx.foreach(Credit.ledger, _entry)),
                size="1",
                width="100%",
                id="ledger",
            ),
            class_name="fb-wide",
        ),
        pager(Credit.number, Credit.older, Credit.show_newer, Credit.show_older),
        heading="Ledger",
        aside=rx.text("Entries are never changed.", size="1", color_scheme="gray"),
    )


def _entry(entry: rx.Var[LedgerRow]) -> rx.Component:
    return rx.table.row(
        rx.table.cell(
            rx.text(entry.time, size="2"),
            rx.text(entry.day, size="1", color_scheme="gray"),
            white_space="nowrap",
        ),
        rx.table.row_header_cell(entry.what),
        rx.table.cell(entry.grant),
        rx.table.cell(
            rx.text(entry.cause, size="1", color_scheme="gray", class_name="fb-id"),
            min_width="8rem",
        ),
        rx.table.cell(entry.amount, class_name="fb-number"),
        vertical_align="middle",
    )
