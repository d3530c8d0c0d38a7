"""The dialog of the invoices page that says how a customer is named and taxed on them."""

from __future__ import annotations

import reflex as rx

from portal.features.invoices.billing_state import Billing
from portal.kit.blocks import dialog_lead, facts, loading_rows, success
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.vars import pick
from portal.shared.billing.form import billing_form
from portal.shell.loaded import loaded


def billing_button() -> rx.Component:
    """Opens the dialog."""
    return rx.button(
        "Billing details", on_click=Billing.open_details, variant="soft", color_scheme="gray"
    )


def billing_done() -> rx.Component:
    """That the details were kept."""
    return success(Billing.done, margin_bottom="var(--space-5)")


def billing_dialog() -> rx.Component:
    """The form for who may change the details; for others what they are."""
    return dialog(
        "Billing details",
        dialog_lead(
            pick(
                Billing.plans_change,
                "Printed on new invoices; issued invoices do not change.",
                "Printed on your invoices. Owners, admins and members with the role billing can "
                "change them.",
            )
        ),
        rx.box(
            loaded(
                Billing,
                rx.cond(Billing.plans_change, _form(), _read_only()),
                retry=Billing.open_details,
                skeleton=loading_rows(6),
            ),
            margin_top="var(--space-4)",
        ),
        opened=Billing.opened,
        close=Billing.close_details,
        width="34rem",
    )


def _read_only() -> rx.Component:
    return rx.fragment(facts(Billing.facts, id="billing-facts"), dialog_buttons(leave="Close"))


def _form() -> rx.Component:
    return billing_form(
        Billing.values,
        Billing.problems,
        Billing.tenant,
        dialog_buttons(rx.button("Save", type="submit")),
        Billing.save,
    )
