"""The dialogs of the credit page: buy, note a payment, pay back, give."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventType

from portal.features.credit.state import Credit
from portal.kit.blocks import dialog_lead, form_error
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import labeled, select_field, text_field
from portal.kit.tick_box import tick_box
from portal.kit.vars import pick


def credit_dialogs() -> rx.Component:
    """All of them; one is open at a time."""
    return rx.fragment(_buy(), _outcome(), _refund(), _give())


def _dialog(name: str, title: str, lead: rx.Component, *content: rx.Component) -> rx.Component:
    return dialog(
        title,
        lead,
        *content,
        opened=Credit.dialog == name,
        close=Credit.close_dialog,
        width="30rem",
    )


def _buy() -> rx.Component:
    return _dialog(
        "buy",
        "Buy credit",
        dialog_lead(
            "It is available once the payment is confirmed.",
            pick(
                Credit.taxed,
                " Tax is taken out of what you pay, and the rest is the credit.",
                "",
            ),
        ),
        _form(
            Credit.buy,
            "Request purchase",
            _amount("buy"),
        ),
    )


def _outcome() -> rx.Component:
    return _dialog(
        "outcome",
        "Record the payment",
        dialog_lead(Credit.about_what, ". This can’t be changed later."),
        _form(
            Credit.finish,
            "Save",
            rx.radio_group.root(
                rx.flex(
                    rx.radio_group.item("Paid: the credit is available at once", value="paid"),
                    rx.radio_group.item("Failed: no credit is added", value="failed"),
                    direction="column",
                    spacing="2",
                ),
                name="state",
                default_value="paid",
                aria_label="Outcome",
            ),
            _field(
                "outcome",
                "reference",
                "Reference",
                note="The payment’s id at the bank or provider.",
            ),
        ),
    )


def _refund() -> rx.Component:
    return _dialog(
        "refund",
        "Refund the remaining credit?",
        dialog_lead(
            Credit.about_what,
            " is removed from ",
            Credit.customer.name,
            "’s wallet. You pay it to them yourself. This can’t be undone.",
        ),
        form_error(Credit.problems["form"]),
        dialog_buttons(
            rx.button("Refund", color_scheme="red", on_click=Credit.refund, type="button")
        ),
    )


def _give() -> rx.Component:
    return _dialog(
        "give",
        "Grant credit",
        dialog_lead("For ", Credit.customer.name, ". It is available at once."),
        _form(
            Credit.give,
            "Grant credit",
            _field("give", "name", "Name", hint="e.g. Welcome credit"),
            rx.grid(
                _amount("give"),
                select_field(
                    "Kind",
                    "kind",
                    "promotional",
                    rx.select.item("Promotional", value="promotional"),
                    rx.select.item("Purchased", value="paid"),
                    of="give",
                ),
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
            rx.grid(
                _field("give", "last_day", "Expires after", note="Empty: never.", kind="date"),
                _field("give", "priority", "Priority", hint="100", note="Lower is used first."),
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
            _field(
                "give",
                "models",
                "Only for these models",
                hint="All",
                note="Ids, separated by commas.",
            ),
            labeled(
                "Pays invoices of the time until it expires, also those made later",
                tick_box(name="in_arrears"),
            ),
        ),
    )


def _form(on_submit: EventType[()], doing: str, *fields: rx.Component) -> rx.Component:
    return rx.form(
        rx.flex(*fields, form_error(Credit.problems["form"]), direction="column", spacing="4"),
        dialog_buttons(rx.button(doing, type="submit")),
        on_submit=on_submit,
        margin_top="var(--space-4)",
    )


def _amount(form: str) -> rx.Component:
    return text_field(
        "Amount",
        "amount",
        rx.input.slot(Credit.customer.currency),
        of=form,
        problem=Credit.problems["amount"],
        input_mode="decimal",
        max_length=24,
        auto_focus=form == "buy",
    )


def _field(
    form: str, name: str, label: str, *, hint: str = "", note: str = "", kind: str = "text"
) -> rx.Component:
    return text_field(
        label,
        name,
        of=form,
        problem=Credit.problems[name],
        note=note,
        type=kind,
        placeholder=hint,
    )
