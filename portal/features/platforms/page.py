"""Platforms, for the operator: what is sent to them, what they refused, and what differs."""

from __future__ import annotations

import reflex as rx

from portal.features.platforms.dialogs import platform_dialogs
from portal.features.platforms.rows import (
    ConnectionRow,
    DriftRow,
    ParkedRow,
    PlatformRow,
    StreamRow,
)
from portal.features.platforms.state import Platforms
from portal.kit.blocks import card, empty, loading_rows
from portal.kit.dialogs import confirmation
from portal.kit.tables import row_action, several_actions, wide_table
from portal.kit.vars import each, length, pick
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Platforms,
        content=(
            loaded(
                Platforms,
                rx.flex(
                    _done(),
                    _platforms(),
                    _connections(),
                    _parked(),
                    _differences(),
                    rx.cond(length(Platforms.streams) > 0, _streams()),
                    direction="column",
                    spacing="5",
                ),
                skeleton=card(loading_rows()),
            ),
            platform_dialogs(),
        ),
        lead="What billing platforms collect: what waits for them, and what needs you.",
    )


def _platforms() -> rx.Component:
    def row(platform: PlatformRow) -> rx.Component:
        return rx.table.row(
            rx.table.row_header_cell(platform.name),
            rx.table.cell(
                rx.badge(platform.state, color_scheme=pick(platform.behind, "red", "gray"))
            ),
            rx.table.cell(platform.tenants),
            rx.table.cell(platform.waiting, white_space="nowrap"),
            rx.table.cell(platform.refused),
            rx.table.cell(platform.webhooks, white_space="nowrap"),
        )

    heads = ("Platform", "State", "Customers", "Waiting", "Refused", "Webhooks")
    return card(wide_table("platforms", heads, each(Platforms.platforms, row)), heading="Platforms")


def _done() -> rx.Component:
    return rx.cond(
        Platforms.done != "",
        rx.callout.root(rx.callout.text(Platforms.done), size="1", role="status"),
    )


def _connections() -> rx.Component:
    def row(connection: ConnectionRow) -> rx.Component:
        tenant, customer = connection.tenant_id, connection.customer
        return rx.table.row(
            rx.table.row_header_cell(customer),
            rx.table.cell(connection.platform),
            rx.table.cell(connection.mode, white_space="nowrap"),
            rx.table.cell(connection.since, white_space="nowrap"),
            several_actions(
                row_action("Compare", Platforms.compare(tenant), label="Compare " + customer),
                row_action(
                    "Names",
                    Platforms.open_objects(tenant),
                    label="Names that the platform has for things of " + customer,
                ),
                row_action(
                    "Earlier invoices",
                    Platforms.open_backfill(tenant),
                    label="Send earlier invoices of " + customer,
                ),
                rx.cond(connection.open, _disconnect(connection)),
            ),
            vertical_align="middle",
        )

    heads = ("Customer", "Platform", "What it does", "When", "Actions")
    no_key = rx.text(
        "Set a platform’s key for the API and the worker, and connect customers then.",
        size="2",
        color_scheme="gray",
    )
    begin = rx.button("Connect a customer", on_click=Platforms.open_connect, variant="soft")
    return card(
        rx.cond(
            length(Platforms.connections) > 0,
            wide_table("platform-connections", heads, each(Platforms.connections, row)),
            empty(
                "plug",
                "No customer is on a platform",
                "A platform collects from those that you connect. All others pay you as your "
                "invoices say.",
                rx.cond(length(Platforms.usable) > 0, begin, no_key),
                id="no-connections",
            ),
        ),
        heading="Customers",
        aside=rx.cond((length(Platforms.usable) > 0) & (length(Platforms.connections) > 0), begin),
    )


def _disconnect(connection: ConnectionRow) -> rx.Component:
    return confirmation(
        rx.button(
            "Disconnect",
            variant="ghost",
            color_scheme="red",
            aria_label="Disconnect " + connection.customer,
        ),
        "Disconnect this customer?",
        "No platform collects what is billed from now on. What was sent stays there. Usage that "
        "the platform rates goes on to the end of the billing period.",
        rx.button(
            "Disconnect",
            color_scheme="red",
            on_click=Platforms.disconnect(connection.tenant_id),
        ),
    )


def _parked() -> rx.Component:
    def row(parked: ParkedRow) -> rx.Component:
        return rx.table.row(
            rx.table.row_header_cell(parked.customer),
            rx.table.cell(parked.what),
            rx.table.cell(rx.text(parked.reason, size="2"), min_width="14rem", max_width="32rem"),
            rx.table.cell(parked.since, white_space="nowrap"),
            several_actions(
                row_action(
                    "Send again",
                    Platforms.replay(parked.id),
                    label="Send again: " + parked.what,
                ),
                row_action(
                    "Leave out",
                    Platforms.open_skip(parked.id),
                    label="Leave out: " + parked.what,
                    color_scheme="gray",
                ),
            ),
            vertical_align="middle",
        )

    heads = ("Customer", "What", "Reason", "Since", "Actions")
    return card(
        rx.cond(
            length(Platforms.parked) > 0,
            wide_table("parked-dispatches", heads, each(Platforms.parked, row)),
            empty(
                "circle-check",
                "Nothing is refused",
                "What a platform does not take is set aside here with its reason, to be sent "
                "again once that is mended.",
            ),
        ),
        heading="Refused",
    )


def _differences() -> rx.Component:
    def row(drift: DriftRow) -> rx.Component:
        return rx.table.row(
            rx.table.row_header_cell(drift.customer),
            rx.table.cell(rx.badge(drift.cause, color_scheme="amber")),
            rx.table.cell(rx.text(drift.detail, size="2"), min_width="14rem", max_width="32rem"),
            rx.table.cell(drift.ours),
            rx.table.cell(drift.theirs),
            rx.table.cell(drift.since, white_space="nowrap"),
            vertical_align="middle",
        )

    return card(
        rx.cond(
            length(Platforms.differences) > 0,
            wide_table(
                "platform-drift",
                ("Customer", "Cause", "What differs", "Here", "There", "Since"),
                each(Platforms.differences, row),
            ),
            empty(
                "scale",
                "Both sides agree",
                "Each day invoices and usage are compared with what the platforms have.",
            ),
        ),
        heading="Differences",
    )


def _streams() -> rx.Component:
    def row(stream: StreamRow) -> rx.Component:
        return rx.table.row(
            rx.table.row_header_cell(stream.customer),
            rx.table.cell(stream.stream),
            rx.table.cell(stream.waiting),
            rx.table.cell(stream.oldest, white_space="nowrap"),
            rx.table.cell(stream.refused),
        )

    heads = ("Customer", "Stream", "Waiting", "Oldest", "Refused")
    return card(
        wide_table("platform-streams", heads, each(Platforms.streams, row)),
        heading="Streams that are behind",
    )
