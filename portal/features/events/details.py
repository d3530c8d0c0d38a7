"""One event with its quantities and its corrections."""

from __future__ import annotations

import reflex as rx

from portal.features.events.state import Events
from portal.kit.blocks import (
    button_link,
    dialog_lead,
    facts,
)
from portal.kit.copy_button import copy_button
from portal.kit.dialogs import dialog
from portal.kit.vars import each, length, pick
from portal.shared.events.correction_list import correction_list
from portal.shared.events.rows import QuantityRow


def event_details() -> rx.Component:
    """The dialog that a row opens."""
    return dialog(
        rx.flex(
            "Event",
            rx.cond(
                Events.opened_state != "",
                rx.badge(Events.opened_state, color_scheme=Events.opened_color),
            ),
            align="center",
            spacing="3",
        ),
        dialog_lead(
            pick(
                Events.opened_state == "Voided",
                "Voided: it no longer counts. Its former quantities are below.",
                pick(
                    Events.opened_state == "Amended",
                    "Counted as last amended.",
                    "Counted as sent.",
                ),
            )
        ),
        facts(Events.facts),
        _quantities(),
        rx.cond(
            length(Events.corrections) > 0,
            rx.box(
                rx.heading("Corrections", as_="h2", size="2", weight="medium"),
                correction_list(Events.corrections),
                margin_top="var(--space-4)",
            ),
        ),
        rx.flex(
            copy_button(
                text=Events.as_json,
                label="Copy as JSON",
                variant="soft",
                color="gray",
                size="2",
            ),
            rx.cond(
                Events.operates,
                button_link("Correct it", Events.correct_at),
            ),
            rx.spacer(),
            rx.dialog.close(rx.button("Close", variant="soft", color_scheme="gray")),
            spacing="3",
            wrap="wrap",
            margin_top="var(--space-5)",
        ),
        opened=Events.opened,
        close=Events.close_event,
        width="38rem",
    )


def _quantities() -> rx.Component:
    return rx.table.root(
        rx.table.header(
            rx.table.row(
                rx.table.column_header_cell("Meter"),
                rx.table.column_header_cell("Quantity", class_name="fb-number"),
                rx.cond(
                    Events.counted_here,
                    rx.table.column_header_cell("Counted here", class_name="fb-number"),
                ),
            )
        ),
        rx.table.body(each(Events.quantities, _quantity)),
        size="1",
        width="100%",
        margin_top="var(--space-4)",
    )


def _quantity(row: QuantityRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(row.meter),
        rx.table.cell(row.quantity, class_name="fb-number"),
        rx.cond(Events.counted_here, rx.table.cell(row.counted, class_name="fb-number")),
    )
