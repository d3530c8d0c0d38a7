"""What was refused of the tenant's events; shown where there is any."""

from __future__ import annotations

import reflex as rx

from portal.features.events.refused_state import RefusedOfTenant
from portal.kit.blocks import card
from portal.kit.vars import length
from portal.shared.events.refused_table import refused_table


def refused_card() -> rx.Component:
    """A card that comes with the first refused event."""
    return rx.cond(
        length(RefusedOfTenant.rows) > 0,
        card(
            refused_table(RefusedOfTenant.rows, of_all=False),
            heading="Refused events, which are not counted",
        ),
    )
