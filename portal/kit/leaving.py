"""Changes that are not saved, and the browser leaving them."""

from __future__ import annotations

import reflex as rx


class UnsavedChanges(rx.Component):
    """While it is there, the browser asks before the page is left or loaded anew. Shows nothing."""

    library = "$/public/leaving.js"
    tag = "UnsavedChanges"


unsaved_changes = UnsavedChanges.create
