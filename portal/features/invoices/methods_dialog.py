"""The dialog of the invoices page that shows what a customer saved to be charged by."""

from __future__ import annotations

import reflex as rx

from portal.features.invoices.methods_state import MethodRow, PaymentMethods
from portal.kit.blocks import dialog_lead, empty, loading_rows, stale
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.vars import each, length
from portal.shell.loaded import loaded


def methods_button() -> rx.Component:
    """Opens the dialog."""
    return rx.button("Payment methods", on_click=PaymentMethods.open_methods, variant="soft")


def methods_dialog() -> rx.Component:
    """What was saved, and the ways to add to it and to change it."""
    return dialog(
        "Payment methods",
        dialog_lead("New invoices are charged to the method that is chosen."),
        rx.box(
            stale(PaymentMethods.problem, PaymentMethods.phase),
            loaded(
                PaymentMethods,
                rx.cond(length(PaymentMethods.methods) > 0, _methods(), _none()),
                retry=PaymentMethods.open_methods,
                skeleton=loading_rows(2),
            ),
            margin_top="var(--space-4)",
        ),
        dialog_buttons(
            rx.button(
                "Change or remove",
                on_click=PaymentMethods.manage,
                variant="soft",
                disabled=length(PaymentMethods.methods) == 0,
            ),
            rx.button("Add a method", on_click=PaymentMethods.add_method),
            leave="Close",
        ),
        opened=PaymentMethods.opened,
        close=PaymentMethods.close_methods,
        width="30rem",
    )


def _methods() -> rx.Component:
    return rx.flex(
        each(PaymentMethods.methods, _method), direction="column", spacing="3", id="methods"
    )


def _method(method: MethodRow) -> rx.Component:
    return rx.flex(
        rx.box(
            rx.text(method.label, size="2", weight="medium"),
            rx.text(method.expires, size="1", color_scheme="gray"),
        ),
        rx.cond(method.chosen, rx.badge("Chosen")),
        justify="between",
        align="center",
    )


def _none() -> rx.Component:
    return empty(
        "credit-card",
        "No payment method is saved",
        "You pay each invoice on its page until you add one.",
        id="no-methods",
    )
