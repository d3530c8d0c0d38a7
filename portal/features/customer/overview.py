"""The overview of a customer: what is known of it, its name, and whether its events are taken."""

from __future__ import annotations

import reflex as rx

from portal.features.customer.state import CustomerPage
from portal.kit.blocks import card, facts
from portal.kit.fields import labeled, text_field


def overview_tab() -> rx.Component:
    """The tab."""
    return rx.grid(
        card(facts(CustomerPage.facts), heading="Customer"),
        rx.flex(_name(), _ingest(), direction="column", spacing="5"),
        columns=rx.breakpoints(initial="1", md="2"),
        spacing="5",
    )


def _name() -> rx.Component:
    return card(
        rx.form(
            rx.flex(
                rx.box(
                    text_field(
                        "Name",
                        "name",
                        of="rename",
                        problem=CustomerPage.problems["name"],
                        value=CustomerPage.customer.name,
                        version=CustomerPage.read,
                    ),
                    flex_grow="1",
                ),
                rx.button("Save", type="submit", margin_top="24px"),
                spacing="3",
                align="start",
            ),
            on_submit=CustomerPage.rename,
        ),
        heading="Name",
    )


def _ingest() -> rx.Component:
    return card(
        labeled(
            "Its own keys may send usage events",
            rx.switch(checked=CustomerPage.ingest, on_change=CustomerPage.set_ingest),
            weight="medium",
        ),
        rx.text(
            "Calls through the gateway and the events that you send go on either way.",
            size="2",
            color_scheme="gray",
            margin_top="var(--space-2)",
        ),
        heading="Events",
    )
