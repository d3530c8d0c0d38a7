"""A form that the browser itself sends, for what sets cookies; Reflex's own only send events."""

from __future__ import annotations

import reflex as rx


class PlainForm(rx.el.Form):
    """An HTML form with an ``action`` and a ``method``, and no handler."""

    @classmethod
    def create(cls, *children: rx.Component, **props: object) -> rx.Component:
        """The form, without the handler that would keep the browser from sending it."""
        form = super().create(*children, **props)
        del form.event_triggers["on_submit"]
        return form


plain_form = PlainForm.create
