"""A form's button that sends what the address has after the ``#``, which no server is sent."""

from __future__ import annotations

import reflex as rx


class FragmentInput(rx.Component):
    """A button, labeled ``action``, and a hidden field ``name``; or ``missing`` without a fragment.

    The fragment is taken out of the address, so that it is in no history.
    """

    library = "$/public/fragment_input.js"
    tag = "FragmentInput"
    lib_dependencies: list[str] = ["@radix-ui/themes@3.3.0"]

    name: rx.Var[str]
    missing: rx.Var[str]
    action: rx.Var[str]


fragment_input = FragmentInput.create
