"""The dialogs of the credit page: buy, note a payment, pay back, give."""

from __future__ import annotations

import reflex as rx

from portal.components.blocks import dialog_lead
from portal.components.fields import field
from portal.components.focus import return_focus
from portal.state.credit import Credit


def credit_dialogs() -> rx.Component:
    """All of them; one is open at a time."""
    return rx.fragment(_buy(), _outcome(), _refund(), _give())


def _dialog(name: str, title: rx.Var[str] | str, *content: rx.Component) -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            return_focus(), rx.dialog.title(title), *content, max_width="30rem", min_width="0"
        ),
        open=Credit.dialog == name,
        on_open_change=Credit.close_dialog,
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
            _written(
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
        _problem(),
        _buttons(
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
            _written("give", "name", "Name", hint="e.g. Welcome credit"),
            rx.grid(
                _amount("give"),
                field(
                    "Kind",
                    rx.select.root(
                        rx.select.trigger(width="100%", aria_label="Kind"),
                        rx.select.content(
                            rx.select.item("Given", value="promotional"),
                            rx.select.item("Bought", value="paid"),
                        ),
                        name="kind",
                        default_value="promotional",
                    ),
                ),
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
            rx.grid(
                _written(
                    "give", "last_day", "Last day", note="Empty: it never expires.", kind="date"
                ),
                _written("give", "priority", "Priority", hint="100", note="Lower burns first."),
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
            _written(
                "give",
                "models",
                "For these models alone",
                hint="All",
                note="Ids, with commas between them.",
            ),
        ),
    )


def _form(on_submit: rx.event.EventType, doing: str, *fields: rx.Component) -> rx.Component:
    return rx.form(
        rx.flex(*fields, _problem(), direction="column", spacing="4"),
        _buttons(rx.button(doing, type="submit")),
        on_submit=on_submit,
        margin_top="var(--space-4)",
    )


def _buttons(doing: rx.Component) -> rx.Component:
    return rx.flex(
        rx.dialog.close(rx.button("Cancel", type="button", variant="soft", color_scheme="gray")),
        doing,
        spacing="3",
        justify="end",
        margin_top="var(--space-5)",
    )


def _problem() -> rx.Component:
    return rx.box(
        rx.cond(
            Credit.problems["form"] != "",
            rx.callout.root(
                rx.callout.icon(rx.icon("circle-alert", size=16)),
                rx.callout.text(Credit.problems["form"]),
                color_scheme="red",
                size="1",
            ),
        ),
        role="alert",
    )


def _amount(form: str) -> rx.Component:
    name = f"{form}-amount"
    return field(
        "Amount",
        rx.input(
            rx.input.slot(Credit.customer.currency),
            name="amount",
            id=name,
            input_mode="decimal",
            max_length=24,
            auto_complete=False,
            auto_focus=form == "buy",
            aria_describedby=f"{name}-problem",
        ),
        html_for=name,
        problem=Credit.problems["amount"],
    )


def _written(
    form: str, name: str, label: str, *, hint: str = "", note: str = "", kind: str = "text"
) -> rx.Component:
    id_ = f"{form}-{name}"
    return field(
        label,
        rx.input(
            name=name,
            id=id_,
            type=kind,
            placeholder=hint,
            max_length=200,
            auto_complete=False,
            aria_describedby=f"{id_}-problem",
        ),
        html_for=id_,
        problem=Credit.problems[name],
        note=note,
    )
