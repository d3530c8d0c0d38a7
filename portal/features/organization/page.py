"""The organization: a form for its name, and the facts that stay."""

from __future__ import annotations

import reflex as rx

from portal import routes
from portal.features.organization.state import Organization
from portal.kit.blocks import card, facts, form_error, loading_rows
from portal.kit.fields import text_field
from portal.kit.tables import remark
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Organization,
        content=(
            loaded(
                Organization,
                rx.flex(_name(), _facts(), direction="column", spacing="5", max_width="44rem"),
                skeleton=card(loading_rows(3)),
            ),
        ),
        lead="What your organization is called here, and what was set when it was created.",
    )


def _name() -> rx.Component:
    return card(
        rx.cond(
            Organization.manages,
            rx.form(
                rx.flex(
                    text_field(
                        "Name",
                        "name",
                        of="organization",
                        max_length=200,
                        value=Organization.called,
                        version=Organization.saved,
                        problem=Organization.problems["name"],
                        note="Shown in this portal. Invoices have the name of the billing details.",
                    ),
                    form_error(Organization.problems["form"]),
                    rx.flex(
                        rx.button("Save", type="submit"),
                        rx.link("Billing details", href=routes.INVOICES, size="2"),
                        spacing="4",
                        align="center",
                    ),
                    direction="column",
                    spacing="4",
                ),
                no_validate=True,
                on_submit=Organization.save,
            ),
            rx.box(
                rx.text(Organization.called, weight="medium"),
                remark("Owners and admins can change it."),
            ),
        ),
        heading="Name",
    )


def _facts() -> rx.Component:
    return card(
        facts(Organization.facts),
        remark(
            "Days and billing periods begin by the time zone, and prices are in the currency. "
            "Both are set when the organization is created: ask the seller if one is wrong."
        ),
        heading="Details",
    )
