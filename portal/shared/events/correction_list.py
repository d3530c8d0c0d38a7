"""Corrections of an event, one under the other."""

from __future__ import annotations

import reflex as rx

from portal.kit.vars import each
from portal.shared.events.correction_rows import CorrectionRow


def correction_list(corrections: list[CorrectionRow]) -> rx.Component:
    """Each correction with what it changed, who made it, and why."""
    return rx.el.ol(each(corrections, _correction), class_name="fb-history")


def correction_changes(correction: CorrectionRow) -> rx.Component:
    """What a correction made of its event, a line each."""
    return rx.cond(
        correction.waits,
        rx.text("It waits for its event.", size="2"),
        each(correction.changes, lambda change: rx.text(change, size="2")),
    )


def _correction(correction: CorrectionRow) -> rx.Component:
    return rx.el.li(
        rx.flex(
            rx.badge(correction.action, color_scheme=correction.color, size="1"),
            rx.text(correction.when, " by ", correction.who, size="1", color_scheme="gray"),
            align="center",
            spacing="2",
            wrap="wrap",
        ),
        correction_changes(correction),
        rx.text("“", correction.reason, "”", size="2", color_scheme="gray"),
    )
