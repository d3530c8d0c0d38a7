"""The switch between one's own tenant and all customers, and its place in the sidebar."""

from __future__ import annotations

from typing import Any

import reflex as rx

from portal import routes
from portal.session.state import Session


class ModesPlace(rx.Component):
    """Remembers in the browser whether the switch is there, so that its place is kept free.

    Shows nothing.
    """

    library = "$/public/modes.js"
    tag = "ModesPlace"

    identified: rx.Var[bool]
    operates: rx.Var[bool]


def modes(*, operating: bool) -> rx.Component:
    """The switch, for who operates; the address holds which mode it is."""

    def mode(text: str, href: str, *, current: bool) -> rx.Component:
        props: dict[str, Any] = {"aria_current": "true"} if current else {}
        return rx.link(text, href=href, underline="none", **props)

    return rx.box(
        rx.cond(
            Session.operates,
            rx.box(
                mode("Console", routes.OVERVIEW, current=not operating),
                mode("Operator", routes.CUSTOMERS, current=operating),
                class_name="fb-modes",
                role="group",
                aria_label="Mode",
            ),
        ),
        class_name="fb-modes-place",
    )


modes_place = ModesPlace.create
