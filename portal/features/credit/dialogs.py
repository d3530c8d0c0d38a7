"""The dialogs of the credit page: buy, note a payment, pay back, give."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventType

from portal.features.credit.state import Credit
from portal.kit.blocks import dialog_lead, form_error
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import select_field, text_field


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
        dialog_lead("It is there once the payment is confirmed."),
        _form(
            Credit.buy,
            "Ask to buy",
            _amount("buy"),
        ),
    )


def _outcome() -> rx.Component:
    return _dialog(
        "outcome",
        "What became of the payment?",
        dialog_lead(Credit.about_what, ". It can’t be changed once it is noted."),
        _form(
            Credit.finish,
            "Note it",
            rx.radio_group.root(
                rx.flex(
                    rx.radio_group.item("It was paid: the credit is there at once", value="paid"),
                    rx.radio_group.item("It failed: no credit comes of it", value="failed"),
                    direction="column",
                    spacing="2",
                ),
                name="state",
                default_value="paid",
                aria_label="Outcome",
            ),
            _field(
                "outcome", "reference", "Reference", note="What the payment is called elsewhere."
            ),
        ),
    )


def _refund() -> rx.Component:
    return _dialog(
        "refund",
        "Pay back what is left?",
        dialog_lead(
            Credit.about_what,
            " is taken from ",
            Credit.customer.name,
            "’s wallet. Paying it to them is yours to do. This can’t be undone.",
        ),
        form_error(Credit.problems["form"]),
        dialog_buttons(
            rx.button("Take it back", color_scheme="red", on_click=Credit.refund, type="button")
        ),
    )


def _give() -> rx.Component:
    return _dialog(
        "give",
        "Give credit",
        dialog_lead("For ", Credit.customer.name, ". It is there at once."),
        _form(
            Credit.give,
            "Give it",
            _field("give", "name", "Name", hint="e.g. Welcome credit"),
            rx.grid(
                _amount("give"),
                select_field(
                    "Kind",
                    "kind",
                    "promotional",
                    rx.select.item("Given", value="promotional"),
                    rx.select.item("Bought", value="paid"),
                    of="give",
                ),
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
            rx.grid(
                _field(
                    "give", "last_day", "Last day", note="Empty: it never expires.", kind="date"
                ),
                _field("give", "priority", "Priority", hint="100", note="Lower burns first."),
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
            _field(
                "give",
                "models",
                "For these models alone",
                hint="All",
                note="Ids, with commas between them.",
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
