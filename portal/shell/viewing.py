"""What an operator sees who looks at a customer's portal: whose it is, and the way out."""

from __future__ import annotations

import reflex as rx

from portal.kit.icon import icon
from portal.kit.plain import plain_form
from portal.session.state import Session


def viewing_banner() -> rx.Component:
    """Stands above the page while somebody looks on."""
    return rx.cond(
        Session.viewing,
        rx.el.section(
            icon("eye", size=16, aria_hidden="true"),
            rx.text(
                "You look at ",
                rx.text.strong(Session.tenant),
                " as its people do. Nothing can be changed.",
                size="2",
                min_width="0",
                flex_grow="1",
            ),
            plain_form(
                rx.el.button("Leave", type="submit"),
                action="/auth/leave",
                method="post",
            ),
            class_name="fb-viewing",
            aria_label="Viewing a customer",
        ),
    )


def view_button(tenant_id: str) -> rx.Component:
    """Opens a customer's portal as its people see it; a form, for the session changes."""
    return plain_form(
        rx.button(
            icon("eye", size=16),
            "View as customer",
            type="submit",
            name="tenant_id",
            value=tenant_id,
            variant="soft",
            color_scheme="gray",
            white_space="nowrap",
        ),
        action="/auth/view",
        method="post",
    )
