"""A customer's endpoints, and the events that did not arrive at one of them."""

from __future__ import annotations

import reflex as rx

from portal.features.customer.webhooks.state import SHOWN, WebhooksTab
from portal.kit.blocks import card, empty
from portal.kit.tables import actions, remark, row_action, wide_table
from portal.kit.vars import each, length
from portal.shared.webhooks.cells import delivery_cells, endpoint_cell, status_cell
from portal.shared.webhooks.rows import DeliveryRow, EndpointRow


def webhooks_tab() -> rx.Component:
    """The tab."""
    return rx.flex(
        card(
            rx.cond(
                length(WebhooksTab.endpoints) > 0,
                wide_table(
                    "customer-webhooks",
                    ("Endpoint", "Status", "Waiting", "Failed", "Added", "Actions"),
                    each(WebhooksTab.endpoints, _endpoint),
                    numbers=("Waiting", "Failed"),
                ),
                empty(
                    "webhook",
                    "No endpoints",
                    "The customer has registered none. It adds them on its own page of webhooks.",
                ),
            ),
            heading="Webhooks",
        ),
        rx.cond(WebhooksTab.open_url != "", _log()),
        direction="column",
        spacing="5",
    )


def _endpoint(row: EndpointRow) -> rx.Component:
    return rx.table.row(
        endpoint_cell(row, min_width="14rem"),
        status_cell(row),
        rx.table.cell(row.waiting, text_align="right"),
        rx.table.cell(row.failed, text_align="right"),
        rx.table.cell(row.created, white_space="nowrap"),
        actions(
            row_action(
                "What did not arrive",
                WebhooksTab.open(row.id),
                label="What did not arrive at " + row.url,
            )
        ),
        vertical_align="top",
    )


def _log() -> rx.Component:
    return card(
        rx.text(WebhooksTab.open_url, size="2", color_scheme="gray", overflow_wrap="anywhere"),
        rx.cond(
            length(WebhooksTab.undelivered) > 0,
            rx.fragment(
                wide_table(
                    "customer-undelivered",
                    ("Event", "State", "When"),
                    each(WebhooksTab.undelivered, _delivery),
                    long=True,
                ),
                remark("The newest ", SHOWN, " that wait, and the newest ", SHOWN, " that failed."),
            ),
            empty("circle-check", "All arrived", "Nothing waits here, and nothing failed."),
        ),
        heading="What did not arrive",
    )


def _delivery(row: DeliveryRow) -> rx.Component:
    return rx.table.row(
        *delivery_cells(row, rx.text(row.id, size="1", color_scheme="gray")),
        vertical_align="top",
    )
