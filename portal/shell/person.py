"""Who is signed in and for which tenant, in the sidebar."""

from __future__ import annotations

import reflex as rx

from portal.kit.icon import icon
from portal.kit.plain import plain_form
from portal.kit.vars import each
from portal.session.state import Session, TenantChoice


def tenant_switcher() -> rx.Component:
    """The tenant that is acted for, and the others to switch to."""
    return rx.cond(
        Session.identified,
        rx.popover.root(
            rx.popover.trigger(
                rx.el.button(
                    rx.el.span("Switch organization: ", class_name="fb-unseen"),
                    rx.box(
                        rx.text(Session.tenant, size="2", weight="medium", class_name="fb-cut"),
                        rx.flex(
                            rx.text(Session.role, size="1", color_scheme="gray", as_="span"),
                            _sample_badge(Session.tenant_is_sample),
                            spacing="2",
                            align="center",
                        ),
                        min_width="0",
                        flex_grow="1",
                    ),
                    icon("chevrons-up-down", size=15, color="var(--gray-10)", aria_hidden="true"),
                    type="button",
                    class_name="fb-quiet",
                    style={"border": "1px solid var(--gray-a5)"},
                )
            ),
            rx.popover.content(
                rx.text(
                    "Organizations", size="1", color_scheme="gray", padding="var(--space-1) 12px"
                ),
                plain_form(
                    each(Session.tenants, _tenant_choice),
                    action="/auth/tenant",
                    method="post",
                ),
                padding="var(--space-2)",
                width="18rem",
                size="1",
            ),
        ),
        # As high as what comes, also where the links below it have to scroll
        rx.skeleton(height="54px", width="100%", flex_shrink="0"),
    )


def _tenant_choice(choice: TenantChoice) -> rx.Component:
    return rx.el.button(
        rx.box(rx.text(choice.name, size="2", class_name="fb-cut"), flex_grow="1", min_width="0"),
        _sample_badge(choice.is_sample),
        rx.cond(
            choice.id == Session.tenant_id,
            icon("check", size=15, aria_label="Current"),
        ),
        type="submit",
        name="tenant_id",
        value=choice.id,
        class_name="fb-quiet",
    )


def _sample_badge(is_sample: bool) -> rx.Component:
    return rx.cond(is_sample, rx.badge("Sample data", color_scheme="orange", size="1"))


def person() -> rx.Component:
    """Who is signed in, and the way out."""
    return rx.cond(
        Session.identified,
        rx.flex(
            rx.avatar(
                fallback=Session.person_initials, size="2", radius="full", color_scheme="gray"
            ),
            rx.box(
                rx.text(Session.person, size="2", class_name="fb-cut"),
                rx.text(Session.email, size="1", color_scheme="gray", class_name="fb-cut"),
                min_width="0",
                flex_grow="1",
            ),
            plain_form(
                rx.icon_button(
                    icon("log-out", size=16),
                    type="submit",
                    variant="ghost",
                    color_scheme="gray",
                    aria_label="Sign out",
                    title="Sign out",
                ),
                action="/auth/logout",
                method="post",
                display="flex",
            ),
            align="center",
            spacing="3",
            padding="0 var(--space-3)",
        ),
        rx.skeleton(height="36px", width="100%"),
    )
