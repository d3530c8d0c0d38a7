"""Toasts: what was just done, said for a moment, where the page itself shows little of it."""

from __future__ import annotations

import secrets

import reflex as rx
from reflex.event import EventActionsMixin

from portal.session.guard import Caller, signed_in
from portal.session.state import Session

_LONGEST = 200


class Toasts(Session):
    """The last toast. ``stamp`` is another for each, so that the same text is said again."""

    stamp: str = ""
    text: str = ""

    @signed_in()
    async def say(self, caller: Caller, text: str) -> None:
        """Show a text for a moment."""
        self.stamp, self.text = secrets.token_hex(4), text[:_LONGEST]


class ToastsPlace(rx.Component):
    """Where toasts are shown, on every page; also that the connection is lost, which Reflex says.

    A toast goes by itself; who reads slowly or needs what is below it puts it away. It is ours, not
    the library that Reflex has for it, which is a twentieth of what a page may load.
    """

    library = "$/public/toasts.js"
    tag = "ToastRegion"


class ToastRegion(rx.Component):
    """Shows each toast once, in the place that the app has for them. Shows nothing itself."""

    library = "$/public/toasts.js"
    tag = "Toasts"

    stamp: rx.Var[str]
    text: rx.Var[str]


toasts_place = ToastsPlace.create


def toast_region() -> rx.Component:
    """Where the frame passes toasts on."""
    return ToastRegion.create(stamp=Toasts.stamp, text=Toasts.text)


def toast(text: str) -> EventActionsMixin:
    """The event that says that something was done: ``Revoked the key.``; handlers return it."""
    return Toasts.say(text)
