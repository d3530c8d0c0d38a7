"""A button that copies a text and says that it has."""

from __future__ import annotations

import reflex as rx


class CopyButton(rx.Component):
    """Radix's button around ``text``; the other props are Radix's own."""

    library = "$/public/copy_button.js"
    tag = "CopyButton"
    lib_dependencies: list[str] = ["@radix-ui/themes@3.3.0"]

    text: rx.Var[str]
    label: rx.Var[str]
    variant: rx.Var[str]
    size: rx.Var[str]
    color: rx.Var[str]
    high_contrast: rx.Var[bool]


copy_button = CopyButton.create
