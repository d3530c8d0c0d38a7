"""A customer's invoices with what the operator does with each, and the dialogs that ask."""

from __future__ import annotations

from typing import Any, Literal

import reflex as rx
from reflex.event import EventType

from portal.features.customer.invoices.forms import EVERYTHING
from portal.features.customer.invoices.state import ActedOn, InvoicesTab, ItemRow
from portal.kit.blocks import card, dialog_lead, empty, figure, form_error
from portal.kit.dialogs import confirmation, dialog, dialog_buttons
from portal.kit.fields import labeled, select_field, text_field
from portal.kit.tables import actions, row_action, wide_table
from portal.kit.tick_box import tick_box
from portal.kit.vars import each, length, pick


def invoices_tab() -> rx.Component:
    """The tab."""
    return rx.flex(
        rx.grid(
            figure("To pay", InvoicesTab.owed, "On issued invoices", loading=False),
            figure("Balance", InvoicesTab.balance, "Pays open invoices", loading=False),
            columns=rx.breakpoints(initial="1", xs="2"),
            spacing="4",
        ),
        card(
            rx.cond(
                length(InvoicesTab.invoices) > 0,
                wide_table(
                    "customer-invoices",
                    ("Invoice", "Status", "Total", "To pay", "Due"),
                    each(InvoicesTab.invoices, _row),
                    numbers=("Total", "To pay"),
                ),
                empty("file-text", "No invoices yet", "The first comes with a plan."),
            ),
            heading="Invoices",
        ),
        card(
            rx.cond(
                length(InvoicesTab.items) > 0,
                wide_table(
                    "customer-items",
                    ("Line", "Amount", "Actions"),
                    each(InvoicesTab.items, _item_row),
                    numbers=("Amount",),
                ),
                rx.text(
                    "No lines yet. A charge or a credit that you add goes on the next invoice.",
                    size="2",
                    color_scheme="gray",
                ),
            ),
            heading="On the next invoice",
            aside=rx.button("Add a line", on_click=InvoicesTab.open_item, variant="soft"),
        ),
        _item(),
        _payment(),
        _credit(),
        _void(),
        direction="column",
        spacing="5",
    )


def _row(row: ActedOn) -> rx.Component:
    invoice = row.invoice
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(invoice.name, weight="medium"),
            rx.text(invoice.period, size="1", color_scheme="gray"),
            # Here, where a narrow screen shows them without scrolling
            _actions(row),
            min_width="15rem",
        ),
        rx.table.cell(rx.badge(invoice.state, color_scheme=invoice.color)),
        rx.table.cell(invoice.total, class_name="fb-number"),
        rx.table.cell(invoice.to_pay, class_name="fb-number"),
        rx.table.cell(invoice.due_on, white_space="nowrap"),
        vertical_align="top",
    )


def _actions(row: ActedOn) -> rx.Component:
    invoice = row.invoice
    return rx.flex(
        rx.cond(
            row.finalize,
            _sure(
                "Issue now",
                "Issue the next invoice now?",
                "It is numbered and sent, and its lines change no more. Usage of its period that "
                "comes later is billed by the next.",
                InvoicesTab.finalize(invoice.id),
                invoice.name,
            ),
        ),
        rx.cond(row.payment, _asks("Record payment", "payment", row)),
        rx.cond(row.credit, _asks("Credit", "credit", row)),
        rx.cond(row.void, _asks("Void", "void", row)),
        rx.cond(
            row.write_off,
            _sure(
                "Write off",
                "Write off " + invoice.name + "?",
                "It is collected no more, and counts as lost. A payment that still comes can be "
                "recorded.",
                InvoicesTab.write_off(invoice.id),
                invoice.name,
            ),
        ),
        spacing="4",
        wrap="wrap",
        margin_top="var(--space-2)",
    )


def _item_row(item: ItemRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(item.name),
        rx.table.cell(item.amount, class_name="fb-number"),
        actions(
            _sure(
                "Remove",
                "Take " + item.name + " off the next invoice?",
                "It is not billed. You can add it again.",
                InvoicesTab.remove_item(item.id),
                item.name,
            )
        ),
        vertical_align="middle",
    )


def _item() -> rx.Component:
    return _dialog(
        "item",
        "Add a line to the next invoice",
        "Taxed as the other lines. A price below zero is a credit: what is more than the invoice "
        "asks for waits for the following one.",
        "Add",
        InvoicesTab.add_item,
        _line("name", "Description"),
        _line("quantity", "Quantity", value="1", input_mode="decimal"),
        _line("unit_price", "Price of one", input_mode="decimal"),
        _line("tax_code", "Tax code", note="For a tax service. Empty: none."),
        _line("start", "First day", type="date", note="The invoice’s own period if empty."),
        _line("end", "Last day", type="date"),
    )


def _asks(text: str, dialog_name: str, row: ActedOn) -> rx.Component:
    return row_action(
        text,
        InvoicesTab.ask(dialog_name, row.invoice.id),
        label=text + ": " + row.invoice.name,
    )


def _sure(text: str, question: str, about: str, act: EventType[()], name: str) -> rx.Component:
    return confirmation(
        rx.button(text, variant="ghost", color_scheme="red", aria_label=text + ": " + name),
        question,
        about,
        rx.button(text, color_scheme="red", on_click=act),
    )


def _payment() -> rx.Component:
    return _dialog(
        "payment",
        "Record a payment",
        "Money that came in by another way than a platform that is connected.",
        "Record",
        InvoicesTab.record_payment,
        _line("amount", "Amount", value=InvoicesTab.due, input_mode="decimal"),
        _line("method", "Method", value="bank transfer"),
        _line(
            "reference",
            "Reference",
            note="A payment with the same method and reference counts once.",
        ),
        _line("received", "Received on", type="date", note="Today if empty."),
    )


def _credit() -> rx.Component:
    return _dialog(
        "credit",
        "Credit",
        "What is paid already goes to the customer’s balance.",
        "Issue the credit note",
        InvoicesTab.credit,
        select_field(
            "What",
            "line",
            EVERYTHING,
            rx.select.item("All that is left of the invoice", value=EVERYTHING),
            each(InvoicesTab.lines, lambda line: rx.select.item(line.name, value=line.id)),
            of="invoice-credit",
            problem=InvoicesTab.problems["line"],
            long=True,
        ),
        _line(
            "amount",
            "Amount before tax",
            input_mode="decimal",
            note="Of the line that is chosen. Empty: all that is left of it.",
        ),
        _line("reason", "Reason"),
    )


def _void() -> rx.Component:
    return _dialog(
        "void",
        "Declare void",
        "It is not to be paid. What credit and balance paid of it comes back.",
        "Declare it void",
        InvoicesTab.void,
        _line("reason", "Reason"),
        labeled("Issue it again under a new number", tick_box(name="reissue")),
        is_final=True,
    )


def _dialog(
    name: str,
    title: str,
    lead: str,
    doing: str,
    submit: EventType[()],
    *fields: rx.Component,
    is_final: bool = False,
) -> rx.Component:
    color: Literal["red"] | None = "red" if is_final else None
    return dialog(
        rx.fragment(title, pick(InvoicesTab.about != "", ": " + InvoicesTab.about, "")),
        dialog_lead(lead),
        rx.form(
            rx.flex(
                *fields,
                form_error(InvoicesTab.problems["form"]),
                direction="column",
                spacing="4",
            ),
            dialog_buttons(rx.button(doing, type="submit", color_scheme=color)),
            no_validate=True,
            on_submit=submit,
            margin_top="var(--space-4)",
        ),
        opened=InvoicesTab.dialog == name,
        close=InvoicesTab.close_dialog,
        width="31rem",
    )


def _line(name: str, label: str, *, note: str = "", **props: Any) -> rx.Component:
    return text_field(
        label, name, of="invoice", note=note, problem=InvoicesTab.problems[name], **props
    )
