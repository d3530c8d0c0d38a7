"""The card that tells what a backfill would change before it is sent."""

from __future__ import annotations

import reflex as rx

from portal.features.corrections.backfill import MOST_CHARACTERS, RefusedRow
from portal.features.corrections.backfill_state import Backfill
from portal.features.corrections.changes import changes_preview
from portal.features.corrections.state import Corrections
from portal.kit.blocks import card
from portal.kit.fields import text_field
from portal.kit.tables import wide_table
from portal.kit.vars import each, length


def backfill_preview() -> rx.Component:
    """Events to paste, and the verdict on them."""
    shown = (Backfill.verdict != "") & (Backfill.customer_id == Corrections.customer.id)
    return card(
        rx.text(
            "Paste events that you mean to send, to see what they would change in usage and in "
            "what the billing periods cost. Nothing is sent.",
            size="2",
            color_scheme="gray",
            margin_bottom="var(--space-4)",
        ),
        rx.form(
            text_field(
                "Events",
                "events",
                of="backfill",
                lines=6,
                problem=Backfill.wrong,
                note="As POST /v1/events takes them. They are of this customer unless a subject "
                "says otherwise.",
                max_length=MOST_CHARACTERS,
                spell_check=False,
                placeholder="A JSON array, or an event on each line",
                font_family="var(--code-font-family)",
            ),
            rx.flex(
                rx.button("Preview the backfill", type="submit", variant="soft"),
                justify="end",
                margin_top="var(--space-3)",
            ),
            on_submit=Backfill.preview,
            id="backfill",
        ),
        rx.box(rx.cond(shown, _result()), role="status"),
        heading="Before a backfill",
    )


def _result() -> rx.Component:
    return rx.flex(
        rx.text(Backfill.verdict, size="2", weight="medium"),
        rx.cond(length(Backfill.refused) > 0, _refused()),
        changes_preview(Backfill.changes, Backfill.more_changes, Backfill.periods),
        direction="column",
        spacing="4",
        margin_top="var(--space-4)",
    )


def _refused() -> rx.Component:
    return wide_table(
        "refused",
        ("Place", "Field", "What is wrong with it"),
        each(Backfill.refused, _refused_row),
        size="1",
    )


def _refused_row(row: RefusedRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(row.place),
        rx.table.cell(row.field),
        rx.table.cell(row.why),
    )
