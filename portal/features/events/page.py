"""Events: what was metered one by one, as it comes in, and what became of each."""

from __future__ import annotations

import reflex as rx

from portal import routes
from portal.features.events.details import event_details
from portal.features.events.filters import filters
from portal.features.events.refused_card import refused_card
from portal.features.events.state import Events
from portal.kit.blocks import (
    button_link,
    card,
    empty,
    loading_rows,
)
from portal.kit.fields import pager
from portal.kit.icon import icon
from portal.kit.plain import csv_button
from portal.kit.tables import actions, moment, row_action, wide_table
from portal.kit.vars import each, length, negated, pick
from portal.shared.events.event_name import event_name
from portal.shared.events.rows import EventRow
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Events,
        content=(
            loaded(
                Events,
                rx.flex(
                    card(filters()),
                    _list(),
                    refused_card(),
                    event_details(),
                    direction="column",
                    spacing="5",
                ),
            ),
        ),
        query=Events.query,
        lead="Every usage event as it counts now, newest first by the time of use.",
        actions=csv_button(Events.csv),
    )


def _list() -> rx.Component:
    return card(
        rx.cond(
            Events.phase == "loading",
            loading_rows(8),
            rx.cond(length(Events.rows) > 0, _table(), _none()),
        ),
        pager(Events.number, Events.older, Events.show_newer, Events.show_older),
        heading=pick(Events.filtered, "Matching events", "All events"),
        aside=_live(),
    )


def _live() -> rx.Component:
    following = (Events.number == 1) & negated(Events.paused)
    return rx.flex(
        rx.flex(
            rx.cond(following, rx.box(class_name="fb-live"), rx.fragment()),
            rx.text(Events.status, size="2", color_scheme="gray", role="status"),
            align="center",
            spacing="2",
        ),
        rx.button(
            rx.cond(following, icon("pause", size=14), icon("play", size=14)),
            pick(following, "Pause", "Follow"),
            on_click=Events.pause(following),
            size="1",
            variant="soft",
            color_scheme="gray",
            disabled=Events.phase == "loading",
        ),
        align="center",
        spacing="3",
    )


def _none() -> rx.Component:
    return rx.cond(
        Events.filtered,
        empty(
            "search-x",
            "No matching events",
            "No metered event matches these filters. Source and id must match exactly.",
            rx.button("Clear the filters", on_click=Events.clear, variant="soft"),
            id="no-events",
        ),
        empty(
            "list",
            "No events yet",
            "Every model call is an event, as is every event you send to the API. It shows here "
            "within two seconds.",
            button_link("Open the playground", routes.PLAYGROUND),
            id="no-events",
        ),
    )


def _table() -> rx.Component:
    return wide_table(
        "events",
        ("Used", "Event", "Application", "Model", "Quantities", "Actions"),
        each(Events.rows, _row),
        size="1",
    )


def _row(event: EventRow) -> rx.Component:
    return rx.table.row(
        moment(event.time, event.day),
        rx.table.row_header_cell(*event_name(event), min_width="14rem", max_width="16rem"),
        rx.table.cell(
            rx.text(event.application, size="2"),
            rx.cond(event.key != "", rx.text(event.key, size="1", color_scheme="gray")),
        ),
        rx.table.cell(event.model, class_name="fb-id"),
        rx.table.cell(
            rx.text(
                event.quantities,
                size="1",
                text_decoration=pick(event.state == "Voided", "line-through", "none"),
            ),
            min_width="13rem",
        ),
        actions(
            row_action(
                "Details",
                Events.open_event(event.sender, event.source, event.id),
                label="Details of " + event.id,
                size="1",
            )
        ),
        key=event.sender + " " + event.source + " " + event.id,
        class_name=pick(event.fresh, "fb-fresh", ""),
        vertical_align="middle",
    )
