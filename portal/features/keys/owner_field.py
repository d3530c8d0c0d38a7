"""The field of a key's form that says whose the key is."""

from __future__ import annotations

import reflex as rx

from portal.features.keys.state import Keys
from portal.kit.fields import labeled
from portal.kit.tick_box import tick_box


def owner_field() -> rx.Component:
    """Whether a key is its application's; for owners and admins."""
    return rx.cond(
        Keys.manages,
        rx.box(
            # Says that it was asked: a box without a tick sends nothing
            rx.el.input(type="hidden", name="offers_service_account", value="1"),
            labeled(
                "Service account: it is the application’s, and stays when who made it leaves",
                tick_box(name="service_account", default_checked=Keys.edited.service_account),
            ),
        ),
    )
