"""Invoices: the list, one with its lines, and their files."""

from __future__ import annotations

from typing import Literal

import reflex as rx

from portal.features.invoices.billing_dialog import billing_button, billing_dialog, billing_done
from portal.features.invoices.line_events_dialog import line_events_button, line_events_dialog
from portal.features.invoices.methods_dialog import methods_button, methods_dialog
from portal.features.invoices.rows import CreditNoteRow, InvoiceLineRow, SumRow
from portal.features.invoices.state import Invoices
from portal.kit.blocks import card, empty, figure, loading_rows
from portal.kit.choice import Choice
from portal.kit.icon import icon
from portal.kit.plain import plain_link
from portal.kit.tables import actions, row_action, wide_table
from portal.kit.vars import each, length, pick
from portal.shared.invoices import InvoiceRow
from portal.shell.feature import Page
from portal.shell.loaded import loaded

_LINK = {"color": "var(--accent-11)", "font_size": "var(--font-size-2)"}
_E_INVOICES = (
    ("peppol", "Peppol"),
    ("xrechnung", "XRechnung"),
    ("factur-x", "Factur-X"),
)
_AMOUNTS = ("Quantity", "Price", "Amount")


def page() -> Page:
    """The page."""
    return Page(
        state=Invoices,
        query=Invoices.query,
        content=(
            billing_done(),
            loaded(
                Invoices,
                rx.cond(
                    Invoices.opened != "",
                    _invoice(),
                    rx.cond(length(Invoices.invoices) > 0, _account_and_list(), _none()),
                ),
                skeleton=card(loading_rows()),
            ),
            billing_dialog(),
            methods_dialog(),
            line_events_dialog(),
        ),
        lead="What each period was billed at, line by line, and what is still to pay.",
        actions=rx.flex(
            rx.cond(Invoices.collected, methods_button()),
            rx.cond(Invoices.sees_spend & (Invoices.phase == "ready"), billing_button()),
            spacing="3",
        ),
    )


def _none() -> rx.Component:
    return card(
        empty(
            "file-text",
            "No invoices yet",
            "The first one follows your usage here as soon as you are on a plan.",
            id="no-invoices",
        )
    )


def _account_and_list() -> rx.Component:
    return rx.flex(
        rx.grid(
            figure("To pay", Invoices.owed, Invoices.owed_note, loading=False),
            figure(
                "Balance",
                Invoices.balance,
                "Paid or credited, and not used yet. It pays open invoices.",
                loading=False,
            ),
            columns=rx.breakpoints(initial="1", sm="2"),
            spacing="4",
        ),
        _list(),
        rx.cond(length(Invoices.all_credit_notes) > 0, _credit_notes()),
        direction="column",
        spacing="5",
    )


def _list() -> rx.Component:
    return rx.card(
        wide_table(
            "invoices",
            ("Invoice", "Issued", "Due", "Status", "Total", "To pay", "Files"),
            each(Invoices.invoices, _row),
            numbers=("Total", "To pay"),
        ),
        size="1",
        width="100%",
    )


def _credit_notes() -> rx.Component:
    return card(
        wide_table(
            "credit-notes",
            ("Credit note", "Issued", "Reason", "Amount", "To balance", "Files"),
            each(Invoices.all_credit_notes, _credit_note_row),
            numbers=("Amount", "To balance"),
        ),
        heading="Credit notes",
    )


def _credit_note_row(note: CreditNoteRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(note.name, weight="medium", white_space="nowrap"),
            rx.text(note.of, size="1", color_scheme="gray", white_space="nowrap"),
        ),
        rx.table.cell(note.issued, white_space="nowrap"),
        rx.table.cell(note.reason),
        rx.table.cell(note.total, class_name="fb-number"),
        rx.table.cell(pick(note.kept != "", note.kept, "—"), class_name="fb-number"),
        actions(_files(note.id, note.name, "credit-notes")),
        vertical_align="middle",
    )


def _row(invoice: InvoiceRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            row_action(
                invoice.name, Invoices.open_invoice(invoice.id), label="Open " + invoice.name
            ),
            rx.text(invoice.period, size="1", color_scheme="gray", margin_top="4px"),
        ),
        rx.table.cell(pick(invoice.issued != "", invoice.issued, "—"), white_space="nowrap"),
        rx.table.cell(pick(invoice.due_on != "", invoice.due_on, "—"), white_space="nowrap"),
        rx.table.cell(rx.badge(invoice.state, color_scheme=invoice.color)),
        rx.table.cell(invoice.total, class_name="fb-number"),
        rx.table.cell(invoice.to_pay, class_name="fb-number"),
        actions(_files(invoice.id, invoice.name)),
        vertical_align="middle",
    )


def _files(document_id: str, name: str, folder: str = "invoices") -> rx.Component:
    return rx.flex(
        *[
            plain_link(
                kind.upper(),
                href="/downloads/" + folder + "/" + document_id + "." + kind,
                download=True,
                aria_label=name + " as " + kind.upper(),
                style=_LINK,
            )
            for kind in ("pdf", "csv")
        ],
        spacing="3",
        justify="end",
    )


def _invoice() -> rx.Component:
    return rx.flex(
        rx.flex(
            rx.button(
                icon("arrow-left", size=16),
                "All invoices",
                on_click=Invoices.close_invoice,
                variant="ghost",
                color_scheme="gray",
            ),
            rx.flex(
                rx.cond(Invoices.payable, rx.button("Pay", on_click=Invoices.pay)),
                _files(Invoices.opened, Invoices.name),
                spacing="3",
                align="center",
            ),
            justify="between",
            align="center",
            wrap="wrap",
            spacing="3",
        ),
        rx.grid(
            figure(
                "Invoice",
                Invoices.name,
                rx.flex(
                    rx.badge(Invoices.status, color_scheme=Invoices.color),
                    rx.text(Invoices.period_name, size="2", color_scheme="gray"),
                    spacing="2",
                    align="center",
                ),
                loading=False,
            ),
            figure("Total", Invoices.total, Invoices.note, loading=False),
            columns=rx.breakpoints(initial="1", sm="2"),
            spacing="4",
        ),
        card(
            wide_table(
                "invoice-lines",
                ("Charge", "Plan", *_AMOUNTS),
                each(Invoices.lines, _line),
                each(Invoices.sums, _sum),
                numbers=_AMOUNTS,
            ),
            heading="Lines",
            aside=rx.text("Each line is rounded once.", size="1", color_scheme="gray"),
        ),
        rx.text("Billed to ", Invoices.customer, size="2", color_scheme="gray"),
        rx.cond(Invoices.issued, _e_invoices()),
        each(Invoices.credit_notes, _credit_note),
        direction="column",
        spacing="5",
        id="invoice",
    )


def _e_invoices() -> rx.Component:
    return rx.flex(
        rx.text("E-invoice:", size="2", color_scheme="gray"),
        *[
            plain_link(
                name,
                href="/downloads/invoices/" + Invoices.opened + "/e-invoice/" + form,
                target="_blank",
                aria_label=Invoices.name + " as " + name,
                style=_LINK,
            )
            for form, name in _E_INVOICES
        ],
        spacing="3",
        wrap="wrap",
        align="center",
        id="e-invoices",
    )


def _credit_note(note: Choice) -> rx.Component:
    """A credit note as e-invoices: in XML alone, for it has no PDF."""
    return rx.flex(
        rx.text("Credit note ", note.name, ":", size="2", color_scheme="gray"),
        *[
            plain_link(
                name,
                href=f"/downloads/invoices/{Invoices.opened}/credit-notes/{note.id}"
                f"/e-invoice/{form}",
                target="_blank",
                aria_label=note.name + " as " + name,
                style=_LINK,
            )
            for form, name in (*_E_INVOICES[:2], ("cii", "CII"))
        ],
        spacing="3",
        wrap="wrap",
        align="center",
    )


def _line(line: InvoiceLineRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(line.name, weight="medium"),
            rx.text(line.detail, size="1", color_scheme="gray"),
            each(line.steps, lambda step: rx.text(step, size="1", color_scheme="gray")),
            line_events_button(line),
        ),
        rx.table.cell(line.plan, white_space="nowrap"),
        rx.table.cell(line.quantity, class_name="fb-number"),
        rx.table.cell(line.price, class_name="fb-number"),
        rx.table.cell(line.amount, class_name="fb-number"),
        vertical_align="middle",
    )


def _sum(total: SumRow) -> rx.Component:
    is_result = (total.name == "Total") | (total.name == "To pay")
    weight: Literal["medium", "regular"] = pick(is_result, "medium", "regular")
    return rx.table.row(
        rx.table.row_header_cell(rx.text(total.name, weight=weight), col_span=4),
        rx.table.cell(rx.text(total.amount, weight=weight), class_name="fb-number"),
    )
