"""A customer's credit in short, and the dialog that gives it more."""

from __future__ import annotations

import reflex as rx

from portal import routes
from portal.features.customer.credit.state import CreditTab, GrantRow
from portal.kit.blocks import button_link, card, dialog_lead, empty, figure, form_error
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import labeled, select_field, text_field
from portal.kit.icon import icon
from portal.kit.tables import wide_table
from portal.kit.tick_box import tick_box
from portal.kit.vars import each, length


def credit_tab() -> rx.Component:
    """The tab."""
    return rx.flex(_figures(), _grants(), _give(), direction="column", spacing="5")


def _figures() -> rx.Component:
    return rx.grid(
        figure("Balance", CreditTab.spendable, "Can be used now", loading=False),
        figure("Reserved", CreditTab.reserved, "For calls in progress", loading=False),
        figure("Used", CreditTab.used, "So far", loading=False),
        columns=rx.breakpoints(initial="1", xs="3"),
        spacing="4",
    )


def _grants() -> rx.Component:
    return card(
        rx.cond(
            length(CreditTab.grants) > 0,
            wide_table(
                "customer-grants",
                ("Grant", "Kind", "Left", "Of", "Expires"),
                each(CreditTab.grants, _grant),
                numbers=("Left", "Of"),
            ),
            empty("wallet", "No credit", "Credit pays for calls on prepaid plans, or invoices."),
        ),
        heading="Grants",
        aside=rx.flex(
            rx.button(
                icon("plus", size=16),
                "Grant credit",
                on_click=CreditTab.open_grant,
                variant="soft",
            ),
            button_link(
                "Ledger, top-ups and rule",
                routes.CREDIT + "/?tenant=" + CreditTab.customer.id,
            ),
            spacing="3",
            wrap="wrap",
        ),
    )


def _grant(grant: GrantRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(grant.name),
        rx.table.cell(grant.kind),
        rx.table.cell(grant.left, class_name="fb-number"),
        rx.table.cell(grant.amount, class_name="fb-number"),
        rx.table.cell(grant.expires, white_space="nowrap"),
    )


def _give() -> rx.Component:
    return dialog(
        "Grant credit",
        dialog_lead("For ", CreditTab.customer.name, ". It is available at once."),
        rx.form(
            rx.flex(
                text_field(
                    "Name",
                    "name",
                    of="grant",
                    problem=CreditTab.problems["name"],
                    placeholder="e.g. Welcome credit",
                    auto_focus=True,
                ),
                rx.grid(
                    text_field(
                        "Amount",
                        "amount",
                        rx.input.slot(CreditTab.customer.currency),
                        of="grant",
                        problem=CreditTab.problems["amount"],
                        input_mode="decimal",
                        max_length=24,
                    ),
                    select_field(
                        "Kind",
                        "kind",
                        "promotional",
                        rx.select.item("Promotional", value="promotional"),
                        rx.select.item("Purchased", value="paid"),
                        of="grant",
                    ),
                    columns=rx.breakpoints(initial="1", xs="2"),
                    spacing="4",
                ),
                text_field(
                    "Expires after",
                    "last_day",
                    of="grant",
                    problem=CreditTab.problems["last_day"],
                    note="Empty: never.",
                    type="date",
                ),
                labeled(
                    "Pays invoices of the time until it expires, also those made later",
                    tick_box(name="in_arrears"),
                ),
                form_error(CreditTab.problems["form"]),
                direction="column",
                spacing="4",
            ),
            dialog_buttons(rx.button("Grant credit", type="submit")),
            on_submit=CreditTab.give,
            margin_top="var(--space-4)",
        ),
        opened=CreditTab.dialog == "grant",
        close=CreditTab.close_dialog,
        width="30rem",
    )
