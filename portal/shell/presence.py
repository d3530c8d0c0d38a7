"""Whether anybody sees the page, told to the server so that a tab left alone asks for little."""

from __future__ import annotations

import reflex as rx

from portal.session.state import Session


def _presence_spec(presence: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (presence,)


class Presence(rx.Component):
    """Says when the page is hidden or left alone, and when somebody is back. Shows nothing."""

    library = "$/public/presence.js"
    tag = "Presence"

    # Reflex reads the arguments from a function in a type's place, which the checker can't
    on_change: rx.EventHandler[_presence_spec]  # type: ignore[type-arg, valid-type]


def presence() -> rx.Component:
    """For every page of the frame."""
    return Presence.create(on_change=Session.attend)
