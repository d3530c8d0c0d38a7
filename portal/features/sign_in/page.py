"""Where people sign in: at their identity provider, or locally on a machine of one's own."""

from __future__ import annotations

import reflex as rx

from portal.features.sign_in.state import SignIn
from portal.kit.icon import icon
from portal.kit.plain import plain_form, plain_link
from portal.kit.vars import negated
from portal.kit.waiting import waiting
from portal.session.page import LOADING
from portal.shell.brand import brand, brand_links, color_mode_button
from portal.shell.loaded import loaded


def page() -> rx.Component:
    """The page."""
    return rx.el.main(
        rx.box(color_mode_button(), position="absolute", top="20px", right="20px"),
        rx.card(
            rx.flex(
                brand(),
                rx.box(
                    rx.heading("Sign in", as_="h1", size="6", weight="medium"),
                    rx.text(
                        "Keys, usage and spend of your AI API, in one place.",
                        color_scheme="gray",
                        size="2",
                        margin_top="4px",
                    ),
                ),
                rx.cond(
                    SignIn.went_wrong != "",
                    rx.callout.root(
                        rx.callout.icon(icon("circle-alert", size=16)),
                        rx.callout.text(SignIn.went_wrong),
                        color_scheme="red",
                        size="1",
                        role="alert",
                    ),
                ),
                loaded(
                    SignIn,
                    _ways(),
                    retry=SignIn.look,
                    skeleton=rx.skeleton(height="40px", width="100%"),
                ),
                waiting(waiting=SignIn.phase == LOADING),
                brand_links(),
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


def _ways() -> rx.Component:
    return rx.flex(
        rx.cond(
            SignIn.oidc,
            # A link and no form: the policy on forms would also hold for where this redirects to
            rx.button(
                plain_link("Continue with single sign-on", href=SignIn.log_in),
                as_child=True,
                size="3",
                width="100%",
            ),
        ),
        rx.cond(
            SignIn.local,
            plain_form(
                rx.el.input(type="hidden", name="next", value=SignIn.next_path, read_only=True),
                rx.button("Continue on this machine", type="submit", size="3", width="100%"),
                rx.text(
                    "Local sign-in is open because this installation listens on this machine only.",
                    size="1",
                    color_scheme="gray",
                    margin_top="var(--space-3)",
                ),
                action="/auth/local",
                method="post",
            ),
        ),
        rx.cond(
            negated(SignIn.oidc) & negated(SignIn.local),
            rx.callout.root(
                rx.callout.icon(icon("info", size=16)),
                rx.callout.text(
                    "No way to sign in is configured. Set FAREBOX_OIDC_ISSUER, "
                    "FAREBOX_OIDC_CLIENT_ID and FAREBOX_OIDC_CLIENT_SECRET."
                ),
                size="1",
            ),
        ),
        direction="column",
        spacing="4",
    )
