"""The form that says how a customer is named and taxed on invoices."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex.event import EventType

from backend_client.types.countries import COUNTRY_NAMES
from portal.kit.blocks import form_error
from portal.kit.fields import labeled, select_field, text_field
from portal.kit.tick_box import tick_box
from portal.kit.vars import each
from portal.shared.billing.details import NO_COUNTRY, FormValues

_FORM = "billing"
_LEGAL = (
    ("buyer_reference", "Buyer reference", "What you want to find on it; a Leitweg-ID, say."),
    ("order_reference", "Order reference", ""),
    ("endpoint_scheme", "Endpoint scheme", "Its code, such as 9930 or 0204."),
    ("endpoint", "Endpoint", "Where you get e-invoices."),
    ("street", "Street", ""),
    ("postal_code", "Postal code", ""),
    ("city", "Town", ""),
    ("registration_id", "Registration", "Its number in the register."),
    ("contact_name", "Contact person", ""),
    ("contact_phone", "Contact phone", ""),
)
"""What e-invoices need beside: fields, labels and notes."""
_COUNTRIES = [[NO_COUNTRY, "Not set"], *([code, name] for code, name in COUNTRY_NAMES.items())]


def billing_form(
    values: FormValues,
    problems: dict[str, str],
    tenant: str,
    buttons: rx.Component,
    on_submit: EventType[()],
    **props: Any,
) -> rx.Component:
    """The form as it begins with ``values``; ``tenant`` is the name where none is given."""

    def line(name: str, label: str, value: str, *, note: str = "", **more: Any) -> rx.Component:
        return text_field(
            label,
            name,
            of=_FORM,
            problem=problems[name],
            note=note,
            value=value,
            spell_check=False,
            **more,
        )

    return rx.form(
        rx.flex(
            line("name", "Name", values.name, placeholder=tenant),
            line(
                "address",
                "Address",
                values.address,
                note="As on an envelope, without the name and the country.",
                lines=3,
            ),
            line(
                "email",
                "E-mail",
                values.email,
                note="Invoices and reminders go here, if the seller sends them by e-mail.",
                type="email",
            ),
            rx.grid(
                _country(values.country, problems["country"]),
                line(
                    "region",
                    "Region",
                    values.region,
                    note="Its code by ISO 3166-2, such as QC.",
                    auto_capitalize="characters",
                ),
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
            labeled(
                "We buy as a business",
                tick_box(name="business", default_checked=values.business),
            ),
            line(
                "tax_id",
                "Tax id",
                values.tax_id,
                note="Such as a VAT number. A business that has one may account for the tax "
                "itself, if the seller’s tax rates allow it.",
            ),
            rx.text("For e-invoices", weight="medium", size="2"),
            rx.grid(
                *[
                    line(name, label, getattr(values, name), note=note)
                    for name, label, note in _LEGAL
                ],
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
            form_error(problems["form"]),
            direction="column",
            spacing="4",
        ),
        buttons,
        # What is wrong is said under the field, as of all the others
        no_validate=True,
        on_submit=on_submit,
        **props,
    )


def _country(value: str, problem: str) -> rx.Component:
    return select_field(
        "Country",
        "country",
        value,
        each(_COUNTRIES, lambda country: rx.select.item(country[1], value=country[0])),
        of=_FORM,
        problem=problem,
        long=True,
    )
