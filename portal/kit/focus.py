"""Where the keyboard is, when what it was at comes or goes."""

from __future__ import annotations

import reflex as rx


class ReturnFocus(rx.Component):
    """Gives the focus back when a dialog closes that no trigger opened.

    Shows nothing; goes into the content of a dialog whose ``open`` the state sets.
    """

    library = "$/public/focus.js"
    tag = "ReturnFocus"


class FocusHere(rx.Component):
    """Takes the focus when it comes, around what has taken the place of what was pressed.

    ``label`` names it for those who don't see it.
    """

    library = "$/public/focus.js"
    tag = "FocusHere"

    label: rx.Var[str]


return_focus = ReturnFocus.create
focus_here = FocusHere.create
