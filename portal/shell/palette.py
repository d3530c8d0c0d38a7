"""The command palette: pages, models, keys, documentation and invoices, found by typing."""

from __future__ import annotations

from collections.abc import Sequence

import reflex as rx

from portal.kit.vars import pick
from portal.session.state import Session
from portal.shell.feature import Feature, Group


class PaletteButton(rx.Component):
    """Opens the palette. ``compact`` is an icon alone."""

    library = "$/public/palette.js"
    tag = "PaletteButton"

    compact: rx.Var[bool]


class Palette(rx.Component):
    """The dialog, opened by the button or by Control and K. ``pages`` are what it always knows."""

    library = "$/public/palette.js"
    tag = "Palette"

    pages: rx.Var[list[dict[str, str]]]


palette_button = PaletteButton.create


def palette(features: Sequence[Feature]) -> rx.Component:
    """The palette over the pages of the navigation; the operator's for the operator alone."""
    tenants = [_entry(feature) for feature in features if feature.group is not Group.OPERATOR]
    operators = [_entry(feature) for feature in features if feature.group is Group.OPERATOR]
    everything = [entry for entry in (*tenants, *operators) if entry]
    return Palette.create(
        pages=pick(Session.operates, everything, [entry for entry in tenants if entry])
    )


def _entry(feature: Feature) -> dict[str, str]:
    """What the palette knows of a page; nothing of one that another leads to."""
    if feature.within:
        return {}
    return {
        "title": feature.title,
        "group": "Operator’s pages" if feature.group is Group.OPERATOR else "Pages",
        "words": f"{feature.group.value} {feature.words}".strip(),
        "href": feature.route,
    }
