"""Notifications: filters, the list of what was told, and the deliveries of each."""

from __future__ import annotations

from typing import Any, cast

import reflex as rx

from backend_client.types.notifications import ChannelName, NotificationKind
from portal.features.notifications.rows import (
    ANY,
    CHANNELS,
    STATES,
    DeliveryRow,
    NotificationRow,
)
from portal.features.notifications.state import Notifications
from portal.kit.blocks import card, code, dialog_lead, empty, form_error, loading_rows
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import choice, pager
from portal.kit.icon import icon
from portal.kit.tables import actions, remark, row_action, wide_table
from portal.kit.vars import as_text, each, length
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Notifications,
        content=(
            _filters(),
            loaded(
                Notifications,
                rx.fragment(
                    rx.cond(length(Notifications.notifications) > 0, _table(), _none()),
                    pager(
                        Notifications.number,
                        Notifications.older,
                        Notifications.show_newer,
                        Notifications.show_older,
                    ),
                ),
                skeleton=card(loading_rows()),
            ),
            _dialog(),
        ),
        lead="What your systems were told by webhook and your customers by e-mail.",
        actions=rx.button(
            icon("send", size=16),
            "Send a test event",
            on_click=Notifications.test,
            disabled=Notifications.phase != "ready",
        ),
        query=Notifications.query,
    )


def _filters() -> rx.Component:
    return rx.flex(
        choice(
            "State",
            Notifications.wanted.state,
            Notifications.choose("state"),
            rx.select.item("Any state", value=ANY),
            *[rx.select.item(name, value=state.value) for state, name in STATES.items()],
            width="auto",
        ),
        choice(
            "Kind",
            Notifications.wanted.kind,
            Notifications.choose("kind"),
            rx.select.item("Any kind", value=ANY),
            *[rx.select.item(kind.value, value=kind.value) for kind in NotificationKind],
            width="auto",
        ),
        rx.input(
            default_value=Notifications.wanted.tenant,
            on_change=cast(Any, Notifications.choose("tenant")).debounce(300),
            placeholder="Customer: id or slug",
            aria_label="Customer",
            max_length=200,
            auto_complete="off",
            width="14rem",
        ),
        spacing="3",
        wrap="wrap",
        role="search",
        aria_label="Filters",
        margin_bottom="var(--space-4)",
    )


def _none() -> rx.Component:
    return card(
        empty(
            "webhook",
            "No notifications",
            "No notifications match these filters. A test event shows whether your endpoint "
            "receives them.",
        )
    )


def _table() -> rx.Component:
    return rx.card(
        wide_table(
            "notifications",
            ("Kind", "State", "Customer", "When", "Actions"),
            each(Notifications.notifications, _row),
        ),
        size="1",
        width="100%",
    )


def _row(row: NotificationRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.code(row.kind, variant="ghost", white_space="nowrap"),
            rx.text(row.summary, size="1", color_scheme="gray"),
        ),
        rx.table.cell(rx.badge(row.state, color_scheme=row.color)),
        rx.table.cell(row.customer, max_width="14rem", overflow_wrap="anywhere"),
        rx.table.cell(row.when, white_space="nowrap"),
        actions(
            row_action(
                "Details", Notifications.open(row.id), label="Details of " + row.kind + " " + row.id
            )
        ),
        vertical_align="middle",
    )


def _dialog() -> rx.Component:
    return dialog(
        rx.code(Notifications.opened.kind, variant="ghost"),
        dialog_lead(Notifications.opened.customer, " · ", Notifications.opened.when),
        rx.flex(
            rx.flex(
                rx.badge(Notifications.opened.state, color_scheme=Notifications.opened.color),
                rx.text(Notifications.opened.id, size="1", color_scheme="gray"),
                spacing="3",
                align="center",
                wrap="wrap",
            ),
            rx.cond(
                length(Notifications.deliveries) > 0,
                rx.box(each(Notifications.deliveries, _delivery)),
                rx.text(
                    "It waits for a worker to route it, or no channel has a use for it: "
                    "set FAREBOX_WEBHOOK_URL and FAREBOX_WEBHOOK_SECRET for webhooks.",
                    size="2",
                    color_scheme="gray",
                ),
            ),
            code(Notifications.opened.json, label="What the webhook says"),
            remark(
                "Webhooks are signed by each secret in FAREBOX_WEBHOOK_SECRET. To change it, set "
                "the new beside the old with a space between them; take the old out once your "
                "endpoint checks by the new."
            ),
            form_error(Notifications.dialog_problem),
            direction="column",
            spacing="4",
            margin_top="var(--space-4)",
        ),
        dialog_buttons(
            *[
                rx.button(
                    f"Send again by {name.lower()}",
                    on_click=Notifications.resend(channel.value),
                    variant="soft",
                )
                for channel, name in CHANNELS.items()
                if channel is ChannelName.WEBHOOK
            ],
            rx.button("Send what was not delivered", on_click=Notifications.resend("")),
            leave="Close",
        ),
        opened=Notifications.opened.id != "",
        close=Notifications.close,
        width="44rem",
    )


def _delivery(row: DeliveryRow) -> rx.Component:
    return rx.box(
        rx.text(
            rx.text.strong(row.channel_name),
            ": ",
            row.state,
            rx.cond(row.attempts > 1, rx.fragment(", ", as_text(row.attempts), " tries")),
            size="2",
        ),
        rx.cond(row.when != "", rx.text(row.when, size="1", color_scheme="gray")),
        rx.cond(
            row.reason != "",
            rx.text(row.reason, size="1", color_scheme="red", overflow_wrap="anywhere"),
        ),
        margin_bottom="var(--space-2)",
    )
