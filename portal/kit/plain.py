"""A form and a link as the browser has them: Reflex's own send events and change pages in place."""

from __future__ import annotations

from typing import Any

import reflex as rx

from portal.kit.icon import icon


def plain_form(*children: Any, **props: Any) -> rx.Component:
    """An HTML form with an ``action`` and a ``method``, and no handler: for what sets cookies.

    Reflex's own handler would keep the browser from sending it.
    """
    form = rx.el.form(*children, **props)
    del form.event_triggers["on_submit"]
    return form


plain_link = rx.el.A.create
"""A link to a file or to a place on the same page."""


def csv_button(href: str) -> rx.Component:
    """Downloads what is shown as CSV."""
    return file_button("CSV", href)


def file_button(kind: str, href: str) -> rx.Component:
    """Downloads what is shown as a ``kind`` of file."""
    return rx.button(
        plain_link(icon("download", size=16), kind, href=href, download=True),
        as_child=True,
        variant="soft",
        color_scheme="gray",
    )
