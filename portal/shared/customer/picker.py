"""The button that says which customer a page is about, and the list behind it."""

from __future__ import annotations

import reflex as rx

from portal.kit.icon import icon
from portal.kit.vars import each, length
from portal.shared.customer.state import Customer, CustomerState


def customer_picker(state: type[CustomerState]) -> rx.Component:
    """Pick a customer, by writing part of its name."""
    return rx.popover.root(
        rx.popover.trigger(
            rx.el.button(
                rx.box(
                    rx.text("Customer", size="1", color_scheme="gray"),
                    rx.text(state.customer.name, size="2", weight="medium", class_name="fb-cut"),
                    min_width="0",
                    flex_grow="1",
                ),
                rx.el.span("Pick another", class_name="fb-unseen"),
                icon("chevrons-up-down", size=15, color="var(--gray-10)", aria_hidden="true"),
                type="button",
                class_name="fb-quiet",
                style={"border": "1px solid var(--gray-a5)", "width": "16rem"},
            )
        ),
        rx.popover.content(
            rx.input(
                on_change=state.search_customers.debounce(250),
                placeholder="Part of a name or slug",
                auto_complete="off",
                auto_focus=True,
                aria_label="Find a customer",
            ),
            rx.flex(
                each(state.customers, lambda customer: _customer(state, customer)),
                direction="column",
                margin_top="var(--space-2)",
                max_height="18rem",
                overflow_y="auto",
            ),
            rx.cond(
                length(state.customers) == 0,
                rx.text(
                    "No customers found.",
                    size="2",
                    color_scheme="gray",
                    padding="var(--space-2) 12px",
                    role="status",
                ),
            ),
            padding="var(--space-2)",
            width="18rem",
            size="1",
            aria_label="Customers",
        ),
        open=state.choosing,
        on_open_change=state.open_customers,
    )


def _customer(state: type[CustomerState], customer: Customer) -> rx.Component:
    return rx.el.button(
        rx.box(
            rx.text(customer.name, size="2", class_name="fb-cut"),
            rx.text(customer.slug, size="1", color_scheme="gray", class_name="fb-cut"),
            flex_grow="1",
            min_width="0",
        ),
        rx.cond(customer.is_sample, rx.badge("Sample data", color_scheme="orange", size="1")),
        rx.cond(customer.id == state.customer.id, icon("check", size=15, aria_label="Current")),
        type="button",
        on_click=state.pick_customer(customer.id),
        class_name="fb-quiet",
    )
