"""What gives the focus back when a dialog closes that no trigger opened."""

from __future__ import annotations

import reflex as rx


class ReturnFocus(rx.Component):
    """Shows nothing; goes into the content of a dialog whose ``open`` the state sets."""

    library = "$/public/return_focus.js"
    tag = "ReturnFocus"


return_focus = ReturnFocus.create
