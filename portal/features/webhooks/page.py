"""Webhooks: the endpoints, and the log of the one that is open."""

from __future__ import annotations

import reflex as rx

from portal.features.webhooks.dialogs import create_dialog, webhook_dialogs
from portal.features.webhooks.rows import ANY
from portal.features.webhooks.state import Webhooks
from portal.kit.blocks import card, empty, loading_rows
from portal.kit.dialogs import confirmation
from portal.kit.fields import choice, pager
from portal.kit.tables import actions, row_action, wide_table
from portal.kit.vars import each, length
from portal.shared.webhooks.cells import delivery_cells, endpoint_cell, status_cell
from portal.shared.webhooks.rows import STATES, DeliveryRow, EndpointRow
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Webhooks,
        content=(
            loaded(
                Webhooks,
                rx.fragment(
                    rx.cond(length(Webhooks.endpoints) > 0, _table(), _none()),
                    rx.cond(Webhooks.endpoint_url != "", _log()),
                ),
                skeleton=card(loading_rows()),
            ),
            webhook_dialogs(),
        ),
        lead="Events that are sent to endpoints of your own, signed.",
        actions=rx.flex(
            rx.link("How to check signatures", href="/docs/webhooks", is_external=True, size="2"),
            rx.cond(Webhooks.develops, create_dialog()),
            spacing="4",
            align="center",
            wrap="wrap",
        ),
        query=Webhooks.query,
    )


def _none() -> rx.Component:
    return card(
        empty(
            "webhook",
            "No endpoints yet",
            "Add one to have your own systems told when an invoice is paid, credit runs low, a "
            "budget or a quota is reached, or a key changes.",
        )
    )


def _table() -> rx.Component:
    return rx.card(
        wide_table(
            "endpoints",
            ("Endpoint", "Status", "Events", "Added"),
            each(Webhooks.endpoints, _row),
        ),
        size="1",
        width="100%",
    )


def _row(row: EndpointRow) -> rx.Component:
    return rx.table.row(
        endpoint_cell(row, _row_actions(row), min_width="16rem"),
        status_cell(
            row,
            rx.cond(
                row.overlap != "",
                rx.box(
                    rx.text(row.overlap, size="1", color_scheme="gray", margin_top="4px"),
                    rx.cond(Webhooks.develops, _end_overlap(row)),
                ),
            ),
        ),
        rx.table.cell(row.events, white_space="nowrap"),
        rx.table.cell(row.created, white_space="nowrap"),
        vertical_align="top",
    )


def _row_actions(row: EndpointRow) -> rx.Component:
    return rx.flex(
        row_action("Log", Webhooks.show_log(row.id), label="Log of " + row.url),
        rx.cond(
            Webhooks.develops,
            rx.fragment(
                rx.cond(
                    row.enabled,
                    rx.fragment(
                        row_action(
                            "Send a test event",
                            Webhooks.test(row.id),
                            label="Send a test event to " + row.url,
                        ),
                        row_action(
                            "Replay", Webhooks.ask("replay", row.id), label="Replay to " + row.url
                        ),
                    ),
                ),
                row_action("Edit", Webhooks.ask("edit", row.id), label="Edit " + row.url),
                row_action("Rotate", Webhooks.ask("rotate", row.id), label="Rotate " + row.url),
                rx.cond(
                    row.enabled,
                    _disable(row),
                    row_action("Enable", Webhooks.enable(row.id, True), label="Enable " + row.url),
                ),
                _remove(row),
            ),
        ),
        spacing="4",
        wrap="wrap",
        margin_top="var(--space-2)",
    )


def _end_overlap(row: EndpointRow) -> rx.Component:
    return confirmation(
        rx.button(
            "End it now",
            variant="ghost",
            size="1",
            aria_label="End the old secret of " + row.url,
        ),
        "End the old secret?",
        "Events are signed by the present secret alone from now on. A receiver that still checks "
        "by the old one refuses them.",
        rx.button("End it now", color_scheme="red", on_click=Webhooks.end_overlap(row.id)),
    )


def _disable(row: EndpointRow) -> rx.Component:
    return confirmation(
        rx.button("Disable", variant="ghost", aria_label="Disable " + row.url),
        "Disable this endpoint?",
        "It is sent nothing until you enable it again. What it misses can be replayed.",
        rx.button("Disable the endpoint", on_click=Webhooks.enable(row.id, False)),
    )


def _remove(row: EndpointRow) -> rx.Component:
    return confirmation(
        rx.button("Remove", variant="ghost", color_scheme="red", aria_label="Remove " + row.url),
        "Remove this endpoint?",
        "It is sent nothing more, and its log goes with it. This can’t be undone.",
        rx.button("Remove the endpoint", color_scheme="red", on_click=Webhooks.remove(row.id)),
    )


def _log() -> rx.Component:
    return card(
        rx.flex(
            rx.text(Webhooks.endpoint_url, size="2", color_scheme="gray", overflow_wrap="anywhere"),
            choice(
                "State",
                Webhooks.wanted.state,
                Webhooks.choose,
                rx.select.item("Any state", value=ANY),
                *[rx.select.item(name, value=state.value) for state, name in STATES.items()],
                width="auto",
            ),
            justify="between",
            align="center",
            spacing="3",
            wrap="wrap",
            margin_bottom="var(--space-3)",
        ),
        rx.cond(
            length(Webhooks.deliveries) > 0,
            wide_table(
                "deliveries",
                ("Event", "State", "When", "Actions"),
                each(Webhooks.deliveries, _delivery),
            ),
            empty(
                "inbox",
                "No deliveries",
                "No delivery to this endpoint matches the filter.",
            ),
        ),
        pager(Webhooks.number, Webhooks.older, Webhooks.show_newer, Webhooks.show_older),
        heading="Log",
        aside=rx.button(
            "Close the log",
            variant="ghost",
            color_scheme="gray",
            on_click=Webhooks.show_log(""),
        ),
        margin_top="var(--space-4)",
    )


def _delivery(row: DeliveryRow) -> rx.Component:
    return rx.table.row(
        *delivery_cells(row),
        actions(
            row_action(
                "Details", Webhooks.open(row.id), label="Details of " + row.kind + " " + row.id
            )
        ),
        vertical_align="middle",
    )
