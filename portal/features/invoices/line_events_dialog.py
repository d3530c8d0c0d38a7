"""The dialog of the invoices page with the events behind a line."""

from __future__ import annotations

import reflex as rx

from portal.features.invoices.line_events_state import LineEvents
from portal.features.invoices.rows import InvoiceLineRow, LineEventRow
from portal.kit.blocks import dialog_lead, loading_rows, stale
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.tables import moment, remark, wide_table
from portal.kit.vars import each, length
from portal.shell.loaded import loaded


def line_events_button(line: InvoiceLineRow) -> rx.Component:
    """Opens the dialog for a line that usage made."""
    return rx.cond(
        line.has_events,
        rx.button(
            "Events",
            variant="ghost",
            size="1",
            on_click=LineEvents.open_line(line.number, line.name),
            aria_label="Events behind " + line.name,
        ),
    )


def line_events_dialog() -> rx.Component:
    """The events, oldest first, and more of them when asked for."""
    return dialog(
        "Events behind " + LineEvents.line_name,
        dialog_lead("Every usage event that this line's charge priced, in the order of use."),
        rx.box(
            stale(LineEvents.problem, LineEvents.phase),
            loaded(LineEvents, _events(), retry=LineEvents.read_on, skeleton=loading_rows(6)),
            margin_top="var(--space-4)",
        ),
        dialog_buttons(
            rx.cond(
                LineEvents.more,
                rx.button("Show more", on_click=LineEvents.read_on, variant="soft"),
            ),
            leave="Close",
        ),
        opened=LineEvents.shown,
        close=LineEvents.close_line,
        width="52rem",
    )


def _events() -> rx.Component:
    return rx.fragment(
        rx.cond(
            length(LineEvents.rows) > 0,
            rx.box(
                wide_table(
                    "line-events",
                    ("Used", "Event", "Model", "Quantities"),
                    each(LineEvents.rows, _event),
                    size="1",
                ),
                # What can be done stays in sight below, and the keyboard scrolls what is above it
                max_height="60vh",
                overflow_y="auto",
                tab_index=0,
                role="region",
                aria_label="Events",
            ),
            rx.cond(
                LineEvents.archived == "",
                rx.text(
                    "No stored events cover this line’s period.", size="2", color_scheme="gray"
                ),
            ),
        ),
        rx.cond(LineEvents.archived != "", remark(LineEvents.archived)),
    )


def _event(event: LineEventRow) -> rx.Component:
    return rx.table.row(
        moment(event.time, event.day),
        rx.table.row_header_cell(
            rx.text(event.id, size="2", class_name="fb-id"),
            rx.text(event.source, size="1", color_scheme="gray", class_name="fb-id"),
            min_width="14rem",
        ),
        rx.table.cell(event.model, white_space="nowrap"),
        rx.table.cell(event.quantities, min_width="14rem"),
        vertical_align="middle",
    )
