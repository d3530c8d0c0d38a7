"""A form and a link as the browser has them: Reflex's own send events and change pages in place."""

from __future__ import annotations

import reflex as rx


class PlainForm(rx.el.Form):
    """An HTML form with an ``action`` and a ``method``, and no handler: for what sets cookies."""

    @classmethod
    def create(cls, *children: rx.Component, **props: object) -> rx.Component:
        """The form, without the handler that would keep the browser from sending it."""
        form = super().create(*children, **props)
        del form.event_triggers["on_submit"]
        return form


plain_form = PlainForm.create
plain_link = rx.el.A.create
"""A link to a file or to a place on the same page."""


def csv_button(href: rx.Var[str]) -> rx.Component:
    """Downloads what is shown as CSV."""
    return rx.button(
        plain_link(rx.icon("download", size=16), "CSV", href=href, download=True),
        as_child=True,
        variant="soft",
        color_scheme="gray",
    )
