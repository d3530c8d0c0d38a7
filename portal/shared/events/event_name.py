"""What lists of events have in common."""

from __future__ import annotations

import reflex as rx

from portal.shared.events.rows import EventRow


def event_name(event: EventRow) -> tuple[rx.Component, ...]:
    """Which event it is, and what became of it."""
    return (
        rx.text(event.id, size="2", class_name="fb-id"),
        rx.text(event.source, size="1", color_scheme="gray", class_name="fb-id"),
        rx.cond(event.state != "", rx.badge(event.state, color_scheme=event.color, size="1")),
    )
