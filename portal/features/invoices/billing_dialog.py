"""The dialog of the invoices page that says how a customer is named and taxed on them."""

from __future__ import annotations

from typing import Any

import reflex as rx

from backend_client.types.countries import COUNTRY_NAMES
from portal.features.invoices.billing_details import NO_COUNTRY
from portal.features.invoices.billing_state import Billing
from portal.kit.blocks import (
    dialog_lead,
    facts,
    form_error,
    loading_rows,
    success,
)
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import labeled, select_field, text_field
from portal.kit.vars import each, pick
from portal.shell.loaded import loaded

_FORM = "billing"
_COUNTRIES = [[NO_COUNTRY, "Not set"], *([code, name] for code, name in COUNTRY_NAMES.items())]


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
    return rx.form(
        rx.flex(
            _line("name", "Name", Billing.values.name, placeholder=Billing.tenant),
            _line(
                "address",
                "Address",
                Billing.values.address,
                note="As on an envelope, without the name and the country.",
                lines=3,
            ),
            _line(
                "email",
                "E-mail",
                Billing.values.email,
                note="Invoices and reminders go here, if the seller sends them by e-mail.",
                type="email",
            ),
            rx.grid(
                _country(),
                _line(
                    "region",
                    "Region",
                    Billing.values.region,
                    note="Its code by ISO 3166-2, such as QC.",
                    auto_capitalize="characters",
                ),
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
            labeled(
                "We buy as a business",
                rx.checkbox(name="business", default_checked=Billing.values.business),
            ),
            _line(
                "tax_id",
                "Tax id",
                Billing.values.tax_id,
                note="Your VAT number, say. A business that has one accounts for tax itself where "
                "the seller’s rates allow that.",
            ),
            form_error(Billing.problems["form"]),
            direction="column",
            spacing="4",
        ),
        dialog_buttons(rx.button("Save", type="submit")),
        # What is wrong is said under the field, as of all the others
        no_validate=True,
        on_submit=Billing.save,
    )


def _line(name: str, label: str, value: str, *, note: str = "", **props: Any) -> rx.Component:
    return text_field(
        label,
        name,
        of=_FORM,
        problem=Billing.problems[name],
        note=note,
        value=value,
        spell_check=False,
        **props,
    )


def _country() -> rx.Component:
    return select_field(
        "Country",
        "country",
        Billing.values.country,
        each(_COUNTRIES, lambda country: rx.select.item(country[1], value=country[0])),
        of=_FORM,
        problem=Billing.problems["country"],
        long=True,
    )
