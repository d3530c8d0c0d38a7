"""Cells of tables of endpoints and deliveries."""

from __future__ import annotations

from typing import Any

import reflex as rx


def endpoint_cell(row: Any, *below: rx.Component, **props: Any) -> rx.Component:
    """Which endpoint; ``row`` is an ``EndpointRow``."""
    return rx.table.row_header_cell(
        rx.text(row.url, weight="medium", overflow_wrap="anywhere"),
        rx.cond(
            row.description != "",
            rx.text(row.description, size="1", color_scheme="gray", overflow_wrap="anywhere"),
        ),
        *below,
        **props,
    )


def status_cell(row: Any, *below: rx.Component) -> rx.Component:
    """How an endpoint fares; ``row`` is an ``EndpointRow``."""
    return rx.table.cell(
        rx.badge(row.status, color_scheme=row.color),
        rx.cond(row.about != "", rx.text(row.about, size="1", color_scheme="gray")),
        *below,
    )


def delivery_cells(row: Any, *below: rx.Component) -> tuple[rx.Component, ...]:
    """Which event, how far it came, and when; ``row`` is a ``DeliveryRow``."""
    return (
        rx.table.row_header_cell(
            rx.code(row.kind, variant="ghost", white_space="nowrap"),
            *below,
            rx.cond(
                row.about != "",
                rx.text(row.about, size="1", color_scheme="gray", overflow_wrap="anywhere"),
            ),
        ),
        rx.table.cell(
            rx.badge(row.state, color_scheme=row.color),
            rx.text(row.tries, size="1", color_scheme="gray"),
        ),
        rx.table.cell(row.when, white_space="nowrap"),
    )
