"""The portal's app: its pages, its style, and the routes beside Reflex's own."""

from __future__ import annotations

import reflex as rx

app = rx.App()


def index() -> rx.Component:
    """Say the name."""
    return rx.heading("Farebox")


app.add_page(index, route="/", title="Farebox")
