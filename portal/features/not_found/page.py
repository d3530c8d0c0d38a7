"""What stands where there is no page."""

from __future__ import annotations

import reflex as rx

from portal import routes
from portal.kit.blocks import empty
from portal.shell.brand import brand


def page() -> rx.Component:
    """The page."""
    return rx.el.main(
        rx.box(brand(), position="absolute", top="20px", left="20px"),
        rx.heading("Not found", as_="h1", class_name="fb-unseen"),
        empty(
            "map-pin-off",
            "There is no such page",
            "The address may be mistyped, or the page has moved.",
            rx.button(
                rx.link("To the overview", href=routes.OVERVIEW, underline="none"),
                as_child=True,
                variant="soft",
            ),
        ),
        display="flex",
        align_items="center",
        justify_content="center",
        min_height="100vh",
    )
