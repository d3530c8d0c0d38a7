"""What a page says while it loads for long."""

from __future__ import annotations

import reflex as rx


class Waiting(rx.Component):
    """Says at the foot of the window that loading takes long, once it does so for three seconds.

    It is the browser that counts, so that it is said also where nothing answers.
    """

    library = "$/public/waiting.js"
    tag = "Waiting"

    waiting: rx.Var[bool]


waiting = Waiting.create
