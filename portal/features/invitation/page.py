"""Where an invitation's link leads."""

from __future__ import annotations

import reflex as rx

from portal import routes
from portal.kit.fragment_input import fragment_input
from portal.kit.plain import plain_form
from portal.shell.brand import brand, color_mode_button


def page() -> rx.Component:
    """The page."""
    return rx.el.main(
        rx.box(color_mode_button(), position="absolute", top="20px", right="20px"),
        rx.card(
            rx.flex(
                brand(),
                rx.box(
                    rx.heading("You have been invited", as_="h1", size="6", weight="medium"),
                    rx.text(
                        "Accept to join the organization. If the invitation was sent to your "
                        "e-mail address, sign in with that address.",
                        color_scheme="gray",
                        size="2",
                        margin_top="4px",
                    ),
                ),
                plain_form(
                    fragment_input(
                        name="invitation",
                        missing="This link is not complete. Open the whole link that you were "
                        "given, or ask for a new one.",
                        action="Accept the invitation",
                    ),
                    action="/auth/invitation",
                    method="post",
                ),
                rx.link("Sign in without it", href=routes.SIGN_IN, size="2"),
                direction="column",
                spacing="5",
            ),
            size="4",
            width="25rem",
            max_width="100%",
        ),
        display="flex",
        align_items="center",
        justify_content="center",
        min_height="100vh",
        padding="var(--space-4)",
        background="var(--gray-2)",
        box_sizing="border-box",
    )
