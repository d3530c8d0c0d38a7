"""What is used of a budget, as a bar."""

from __future__ import annotations

from typing import Any

import reflex as rx

from portal.kit.vars import pick


def budget_bar(text: Any, part: Any, over: Any, name: Any) -> rx.Component:
    """What is used of the budget of ``name``, in words and as a bar of ``part`` percent."""
    return rx.box(
        rx.text(text, size="1", white_space="nowrap"),
        rx.progress(
            value=part,
            color_scheme=pick(over, "red", "indigo"),
            aria_label="Used of the budget of " + name,
            size="1",
            margin_top="4px",
        ),
        min_width="9rem",
    )
