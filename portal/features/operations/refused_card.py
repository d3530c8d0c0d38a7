"""What was refused of all customers' events."""

from __future__ import annotations

import reflex as rx

from portal.features.operations.refused_state import RefusedOfAll
from portal.kit.blocks import card, empty, loading_rows
from portal.kit.vars import length
from portal.shared.events.refused_table import refused_table
from portal.shell.loaded import loaded


def refused_events() -> rx.Component:
    """A card that follows what is refused."""
    return card(
        loaded(
            RefusedOfAll,
            rx.cond(
                length(RefusedOfAll.rows) > 0,
                refused_table(RefusedOfAll.rows, of_all=True),
                empty(
                    "circle-check",
                    "No event was refused",
                    "An event that can’t be taken is listed here for some days, by customer and "
                    "reason.",
                ),
            ),
            retry=RefusedOfAll.watch,
            skeleton=loading_rows(2),
        ),
        heading="Refused events",
        # As high as without any, so that nothing below moves when that is known
        min_height="17rem",
    )
