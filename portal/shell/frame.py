"""The frame of every signed-in page: navigation, tenant, person, and the page's own content."""

from __future__ import annotations

from collections.abc import Sequence

import reflex as rx

from portal.kit.address import address
from portal.kit.blocks import stale
from portal.kit.icon import icon
from portal.kit.leaving import leaving
from portal.kit.plain import plain_link
from portal.kit.vars import is_given
from portal.kit.waiting import waiting
from portal.session.page import LOADING
from portal.session.state import Session
from portal.shell.arrival import arrival
from portal.shell.brand import brand
from portal.shell.feature import Feature, Group, Page
from portal.shell.modes import modes_place
from portal.shell.navigation import navigation
from portal.shell.palette import palette, palette_button
from portal.shell.presence import presence
from portal.shell.toasts import toast_region
from portal.shell.viewing import viewing_banner


def framed(feature: Feature, features: Sequence[Feature]) -> rx.Component:
    """A feature's page: its heading with what can be done there, its content, the frame around.

    ``features`` are what the navigation leads to.
    """
    page = feature.page()
    heading = page.heading if is_given(page.heading) else feature.title
    return rx.fragment(
        plain_link("Skip to the content", href="#content", class_name="fb-skip"),
        viewing_banner(),
        rx.box(
            rx.el.aside(
                rx.box(navigation(feature, features), class_name="fb-sidebar"),
                class_name="fb-aside",
                aria_label="Sidebar",
            ),
            _top_bar(feature, features),
            rx.el.main(
                _trail(feature, features, heading),
                _heading(heading, page),
                _operators_clock() if feature.group is Group.OPERATOR else _own_clock(),
                stale(page.state.problem, page.state.phase),
                rx.fragment()
                if page.query is None
                else rx.cond(page.state.phase == "ready", address(query=page.query)),
                *page.content,
                id="content",
                tab_index=-1,
                class_name="fb-main",
            ),
            class_name="fb-shell fb-operating" if feature.group is Group.OPERATOR else "fb-shell",
        ),
        palette(features),
        arrival(page=heading),
        modes_place(identified=Session.identified, operates=Session.operates),
        presence(),
        leaving(),
        waiting(waiting=page.state.phase == LOADING),
        toast_region(),
        _notice(),
    )


def _own_clock() -> rx.Component:
    """That it is another time for this organization than for the reader."""
    return rx.cond(
        Session.tenant_clock != "",
        _banner(
            "Sample data on a test clock: for this organization it is ", Session.tenant_clock, "."
        ),
    )


def _operators_clock() -> rx.Component:
    return rx.cond(
        Session.customer_clock != "",
        _banner(
            "On a test clock: for this customer it is ",
            Session.customer_clock,
            ". ",
            rx.link("Advance it", href=Session.customer_clock_page),
        ),
    )


def _banner(*text: str | rx.Component) -> rx.Component:
    return rx.callout.root(
        rx.callout.icon(icon("alarm-clock", size=16)),
        rx.callout.text(*text),
        color_scheme="orange",
        size="1",
        margin_bottom="var(--space-4)",
        role="note",
    )


def _trail(feature: Feature, features: Sequence[Feature], heading: str) -> rx.Component:
    """The way back from a page of details: the breadcrumbs."""
    parent = next((each for each in features if each.route == feature.within), None)
    if parent is None:
        return rx.fragment()
    return rx.el.nav(
        rx.el.ol(
            rx.el.li(rx.link(parent.title, href=parent.route)),
            rx.el.li(heading, aria_current="page"),
        ),
        class_name="fb-trail",
        aria_label="Breadcrumbs",
    )


def _heading(title: str, page: Page) -> rx.Component:
    return rx.flex(
        rx.box(
            rx.heading(title, as_="h1", size="5", weight="medium"),
            rx.text(page.lead, color_scheme="gray", size="2", margin_top="2px")
            if page.lead
            else rx.fragment(),
            min_width="0",
        ),
        page.actions or rx.fragment(),
        justify="between",
        align="start",
        spacing="4",
        wrap="wrap",
        margin_bottom="var(--space-5)",
    )


def _top_bar(here: Feature, features: Sequence[Feature]) -> rx.Component:
    return rx.el.header(
        brand(),
        rx.flex(
            palette_button(compact=True),
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
                    rx.box(navigation(here, features, in_dialog=True), class_name="fb-sidebar"),
                    class_name="fb-menu",
                    max_width="22rem",
                    aria_describedby="",
                ),
            ),
            align="center",
            spacing="4",
        ),
        class_name="fb-topbar",
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
