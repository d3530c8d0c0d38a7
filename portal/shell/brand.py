"""The seller's mark and links, and the button for light and dark: on every page."""

from __future__ import annotations

import reflex as rx

from portal.kit.icon import icon


class BrandLinks(rx.Component):
    """The seller's terms, support and status, where they are set."""

    library = "$/public/brand.js"
    tag = "BrandLinks"


brand_links = BrandLinks.create


def brand() -> rx.Component:
    """The logo and the name. Both come with the style sheet of the brand, when a page is served."""
    return rx.flex(
        rx.image(src="/brand/logo", alt="", class_name="fb-logo"),
        rx.text(class_name="fb-brand-name", size="4", weight="medium", letter_spacing="-0.01em"),
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
