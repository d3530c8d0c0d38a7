"""How a customer is named and taxed on its invoices, as a form."""

from __future__ import annotations

import reflex as rx

from portal.features.customer.billing.state import BillingTab
from portal.kit.blocks import card, facts
from portal.kit.vars import length
from portal.shared.billing.form import billing_form


def billing_tab() -> rx.Component:
    """The tab."""
    return rx.flex(
        card(
            billing_form(
                BillingTab.values,
                BillingTab.problems,
                BillingTab.customer.name,
                rx.flex(
                    rx.button("Save", type="submit"), justify="end", margin_top="var(--space-5)"
                ),
                BillingTab.save,
            ),
            heading="Printed on new invoices",
        ),
        rx.cond(length(BillingTab.check) > 0, _check()),
        direction="column",
        spacing="5",
        max_width="42rem",
    )


def _check() -> rx.Component:
    """What VIES says of the VAT id, and asking it again."""
    return card(
        facts(BillingTab.check),
        rx.button("Ask now", on_click=BillingTab.look_up, variant="soft", margin_top="16px"),
        heading="VAT id in VIES",
        aside=rx.badge(BillingTab.outcome, color_scheme=BillingTab.outcome_color),
    )
