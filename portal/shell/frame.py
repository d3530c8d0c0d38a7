"""The frame of every signed-in page: navigation, tenant, person, and the page's own content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import reflex as rx

from portal import routes
from portal.kit.blocks import stale
from portal.kit.icon import icon
from portal.kit.plain import plain_form, plain_link
from portal.kit.vars import each
from portal.session.state import Session, TenantChoice
from portal.shell.feature import Audience, Feature, Page

CURRENT: dict[str, Any] = {"aria_current": "page"}


def framed(feature: Feature, features: Sequence[Feature]) -> rx.Component:
    """A feature's page: its heading with what can be done there, its content, the frame around.

    ``features`` are what the navigation leads to.
    """
    page = feature.page()
    return rx.fragment(
        plain_link("Skip to the content", href="#content", class_name="fb-skip"),
        rx.box(
            rx.el.aside(
                rx.box(_navigation(feature, features), class_name="fb-sidebar"),
                class_name="fb-aside",
                aria_label="Farebox",
            ),
            _top_bar(feature, features),
            rx.el.main(
                _heading(feature.title, page),
                stale(page.state.problem, page.state.phase),
                *page.content,
                id="content",
                tab_index=-1,
                class_name="fb-main",
            ),
            class_name="fb-shell",
        ),
        _notice(),
    )


def brand() -> rx.Component:
    """The logo and the name."""
    return rx.flex(
        rx.image(src="/logo.svg", alt="", width="26px", height="26px"),
        rx.text("Farebox", size="4", weight="medium", letter_spacing="-0.01em"),
        align="center",
        spacing="2",
    )


def color_mode_button() -> rx.Component:
    """Switches between light and dark; what is chosen stays in this browser."""
    return rx.icon_button(
        rx.color_mode_cond(light=icon("moon", size=16), dark=icon("sun", size=16)),
        on_click=rx.toggle_color_mode,
        variant="ghost",
        color_scheme="gray",
        size="2",
        aria_label="Switch between light and dark",
        title="Switch between light and dark",
    )


def _heading(title: str, page: Page) -> rx.Component:
    return rx.flex(
        rx.box(
            rx.heading(title, as_="h1", size="7", weight="medium"),
            rx.text(page.lead, color_scheme="gray", margin_top="4px")
            if page.lead
            else rx.fragment(),
            min_width="0",
        ),
        page.actions or rx.fragment(),
        justify="between",
        align="start",
        spacing="4",
        wrap="wrap",
        margin_bottom="var(--space-6)",
    )


def _navigation(
    here: Feature, features: Sequence[Feature], *, in_dialog: bool = False
) -> rx.Component:
    def links(audience: Audience) -> rx.Component:
        return rx.el.ul(
            *[
                rx.el.li(_link(feature, current=feature is here, in_dialog=in_dialog))
                for feature in features
                if feature.audience is audience
            ],
            class_name="fb-nav",
        )

    return rx.fragment(
        rx.flex(
            rx.link(brand(), href=routes.OVERVIEW, underline="none", color="var(--gray-12)"),
            color_mode_button(),
            justify="between",
            align="center",
            padding="0 var(--space-2) 0 var(--space-3)",
        ),
        _tenant_switcher(),
        rx.el.nav(links(Audience.TENANT), aria_label="Pages"),
        rx.cond(
            Session.operates,
            rx.el.nav(
                rx.text("Operator", size="1", color_scheme="gray", padding="0 var(--space-3)"),
                links(Audience.OPERATOR),
                aria_label="Operator's pages",
            ),
        ),
        rx.spacer(),
        _person(),
    )


def _link(feature: Feature, *, current: bool, in_dialog: bool) -> rx.Component:
    link = rx.link(
        icon(feature.icon, size=17, aria_hidden="true"),
        feature.title,
        href=feature.route,
        **CURRENT if current else {},
    )
    return rx.dialog.close(link) if in_dialog else link


def _top_bar(here: Feature, features: Sequence[Feature]) -> rx.Component:
    return rx.el.header(
        brand(),
        rx.dialog.root(
            rx.dialog.trigger(
                rx.icon_button(
                    icon("menu", size=18),
                    variant="ghost",
                    color_scheme="gray",
                    size="2",
                    aria_label="Open the menu",
                )
            ),
            rx.dialog.content(
                rx.dialog.title("Menu", class_name="fb-unseen"),
                rx.box(_navigation(here, features, in_dialog=True), class_name="fb-sidebar"),
                class_name="fb-menu",
                max_width="22rem",
                aria_describedby="",
            ),
        ),
        class_name="fb-topbar",
    )


def _tenant_switcher() -> rx.Component:
    return rx.cond(
        Session.identified,
        rx.popover.root(
            rx.popover.trigger(
                rx.el.button(
                    rx.box(
                        rx.text(Session.tenant, size="2", weight="medium", truncate=True),
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
                    aria_label="Organization: " + Session.tenant + ". Switch organization",
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
        rx.skeleton(height="52px", width="100%"),
    )


def _tenant_choice(choice: TenantChoice) -> rx.Component:
    return rx.el.button(
        rx.box(rx.text(choice.name, size="2", truncate=True), flex_grow="1", min_width="0"),
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


def _person() -> rx.Component:
    return rx.cond(
        Session.identified,
        rx.flex(
            rx.avatar(
                fallback=Session.person_initials, size="2", radius="full", color_scheme="gray"
            ),
            rx.box(
                rx.text(Session.person, size="2", truncate=True),
                rx.text(Session.email, size="1", color_scheme="gray", truncate=True),
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


def _notice() -> rx.Component:
    """Why an action did not happen; read out as soon as it appears."""
    return rx.box(
        rx.cond(
            Session.notice != "",
            rx.callout.root(
                rx.callout.icon(icon("circle-alert", size=16)),
                rx.flex(
                    rx.text(Session.notice, size="2"),
                    rx.icon_button(
                        icon("x", size=14),
                        on_click=Session.dismiss_notice,
                        variant="ghost",
                        color_scheme="gray",
                        size="1",
                        aria_label="Dismiss",
                    ),
                    spacing="3",
                    justify="between",
                    align="center",
                ),
                color_scheme="red",
                variant="surface",
                class_name="fb-notice",
            ),
        ),
        role="status",
        aria_live="polite",
    )
