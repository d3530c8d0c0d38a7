"""The streams of usage in a NATS cluster: who leads each, and how many copies are complete."""

from __future__ import annotations

import reflex as rx

from portal.features.operations.state import Operations
from portal.features.operations.stream_rows import StreamRow
from portal.kit.blocks import card
from portal.kit.tables import wide_table
from portal.kit.vars import each, pick


def usage_streams() -> rx.Component:
    """A card with a row a stream."""
    return card(
        wide_table(
            "usage-streams",
            ("Stream", "Leader", "Copies in step", "Messages waiting"),
            each(Operations.streams, _row),
        ),
        heading="Streams",
    )


def _row(stream: StreamRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(stream.name),
        rx.table.cell(stream.leader),
        rx.table.cell(rx.badge(stream.copies, color_scheme=pick(stream.complete, "green", "red"))),
        rx.table.cell(stream.waiting),
        vertical_align="middle",
    )
