"""Changes that are not saved, and the browser leaving them."""

from __future__ import annotations

import reflex as rx


class UnsavedChanges(rx.Component):
    """While it is there, the page holds changes that no form has. Shows nothing."""

    library = "$/public/leaving.js"
    tag = "UnsavedChanges"


class Leaving(rx.Component):
    """Asks before changes are left: those, and what was written in a form and not sent.

    By a link, the palette, the browser's buttons or its address. Shows nothing.
    """

    library = "$/public/leaving.js"
    tag = "Leaving"


unsaved_changes = UnsavedChanges.create
leaving = Leaving.create
