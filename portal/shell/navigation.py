"""The sidebar: the seller's mark, the mode, the tenant, the pages in their groups, the person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import reflex as rx

from portal import routes
from portal.kit.icon import icon
from portal.kit.plain import plain_link
from portal.kit.vars import negated
from portal.session.state import Session
from portal.shell.brand import brand, brand_links, color_mode_button
from portal.shell.feature import Feature, Group
from portal.shell.modes import modes
from portal.shell.palette import palette_button
from portal.shell.person import person, tenant_switcher

CURRENT: dict[str, Any] = {"aria_current": "page"}
GROUPS = (Group.START, Group.BUILD, Group.OBSERVE, Group.BILLING, Group.SETTINGS)
"""Those of a tenant's pages, in their order."""


def navigation(
    here: Feature, features: Sequence[Feature], *, in_dialog: bool = False
) -> rx.Component:
    """All that leads from ``here`` to other pages. In a dialog each link closes it."""
    nav = _Links(here, features, in_dialog=in_dialog)
    operating = here.group is Group.OPERATOR
    return rx.fragment(
        rx.flex(
            rx.link(
                brand(),
                rx.el.span("Home", class_name="fb-unseen"),
                href=routes.CUSTOMERS if operating else routes.OVERVIEW,
                underline="none",
                color="var(--gray-12)",
            ),
            color_mode_button(),
            justify="between",
            align="center",
            padding="0 var(--space-2) 0 var(--space-3)",
        ),
        rx.fragment() if in_dialog else palette_button(compact=False),
        modes(operating=operating),
        # Who types the address of an operator's page and is none sees their own navigation there
        rx.cond(Session.identified & negated(Session.operates), _tenants(nav), _operators(nav))
        if operating
        else _tenants(nav),
        rx.spacer(),
        person(),
        brand_links(),
    )


class _Links:
    """Links to features, with the one that is here marked."""

    def __init__(self, here: Feature, features: Sequence[Feature], *, in_dialog: bool) -> None:
        self._here = here
        self._features = features
        self._in_dialog = in_dialog

    def of(self, group: Group) -> list[rx.Component]:
        """The links of a group."""
        return [
            rx.el.li(self._link(feature))
            for feature in self._features
            if feature.group is group and not feature.within
        ]

    def _link(self, feature: Feature) -> rx.Component:
        current = feature is self._here or feature.route == self._here.within
        link = rx.link(
            icon(feature.icon, size=16, aria_hidden="true"),
            feature.title,
            href=feature.route,
            **CURRENT if current else {},
        )
        return rx.dialog.close(link) if self._in_dialog else link


def _tenants(nav: _Links) -> rx.Component:
    return rx.fragment(
        tenant_switcher(),
        rx.el.nav(
            *[_group(group, nav.of(group)) for group in GROUPS],
            class_name="fb-groups",
            aria_label="Pages",
        ),
    )


def _group(group: Group, links: list[rx.Component]) -> rx.Component:
    if group is Group.BUILD:
        # Pages of their own, which no event of this app leads to
        docs = plain_link(icon("book-open", size=16, aria_hidden="true"), "Docs", href="/docs")
        links = [*links, rx.el.li(docs)]
    if not group.value:
        return rx.el.ul(*links, class_name="fb-nav")
    return rx.box(
        rx.el.p(group.value, class_name="fb-group-name", aria_hidden="true"),
        rx.el.ul(*links, class_name="fb-nav", aria_label=group.value),
    )


def _operators(nav: _Links) -> rx.Component:
    return rx.el.nav(
        rx.el.ul(*nav.of(Group.OPERATOR), class_name="fb-nav"),
        aria_label="Operator's pages",
    )
