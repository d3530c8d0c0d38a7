"""What follows a change of pages for those who don't see it: the focus, and the title said."""

from __future__ import annotations

import reflex as rx


class Arrival(rx.Component):
    """Names the document after the ``page`` and the seller; moves the focus to its heading.

    Shows nothing. A page that is loaded anew keeps the focus where browsers put it.
    """

    library = "$/public/arrival.js"
    tag = "Arrival"

    page: rx.Var[str]


arrival = Arrival.create
