"""Events: what was metered one by one, as it comes in, and what became of each."""

from __future__ import annotations

import reflex as rx

from portal import routes
from portal.features.events.choice import SPANS
from portal.features.events.state import ANY, Events
from portal.kit.blocks import (
    button_link,
    card,
    dialog_lead,
    empty,
    facts,
    loading_rows,
)
from portal.kit.choice import Choice
from portal.kit.copy_button import copy_button
from portal.kit.dialogs import dialog
from portal.kit.fields import choice, pager, text_field
from portal.kit.icon import icon
from portal.kit.plain import csv_button
from portal.kit.tables import actions, moment, row_action, wide_table
from portal.kit.vars import each, length, negated, pick
from portal.shared.events.correction_list import correction_list
from portal.shared.events.event_name import event_name
from portal.shared.events.rows import EventRow, QuantityRow
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Events,
        content=(
            loaded(
                Events,
                rx.flex(_filters(), _list(), _event(), direction="column", spacing="5"),
                retry=Events.watch,
            ),
        ),
        lead="Every usage event as it counts now, newest first by the time of use.",
        actions=csv_button(Events.csv),
    )


def _filters() -> rx.Component:
    return rx.form(
        rx.grid(
            choice(
                "Time",
                Events.span,
                Events.choose_span,
                *[rx.select.item(name, value=key) for key, name in SPANS.items()],
            ),
            _from("application", "Application", "Any application", Events.applications),
            _from("key", "API key", "Any key", Events.keys),
            _from("model", "Model", "Any model", Events.models),
            _from("meter", "Meter", "Any meter", Events.meters),
            columns=rx.breakpoints(initial="2", md="5"),
            spacing="3",
        ),
        rx.grid(
            rx.cond(
                Events.span == "between",
                rx.fragment(
                    _field("since", "From", Events.since, kind="datetime-local"),
                    _field("until", "To", Events.until, kind="datetime-local"),
                ),
            ),
            _field("source", "Source", Events.source, hint="Exact match"),
            _field("event_id", "Event id", Events.event_id, hint="Exact match"),
            _field("label", "Label", Events.label, hint="team=search"),
            rx.flex(
                rx.button(icon("search", size=16), "Find", type="submit", variant="soft"),
                rx.cond(
                    Events.filtered,
                    rx.button(
                        "Clear",
                        type="button",
                        on_click=Events.clear,
                        variant="ghost",
                        color_scheme="gray",
                    ),
                ),
                align="center",
                spacing="4",
                padding_top="var(--space-5)",
            ),
            columns=rx.breakpoints(initial="2", md="4"),
            spacing="3",
            margin_top="var(--space-3)",
            align="start",
        ),
        on_submit=Events.search,
        role="search",
        aria_label="Filters",
    )


def _from(name: str, label: str, everything: str, offered: list[Choice]) -> rx.Component:
    return choice(
        label,
        getattr(Events, name),
        lambda value: Events.choose(name, value),
        rx.select.item(everything, value=ANY),
        each(offered, lambda choice: rx.select.item(choice.name, value=choice.id)),
    )


def _field(
    name: str, label: str, value: str, *, hint: str = "", kind: str = "text"
) -> rx.Component:
    return text_field(
        label,
        name,
        of="event",
        problem=pick(Events.wrong_field == name, Events.wrong, ""),
        value=value,
        version=Events.cleared,
        type=kind,
        placeholder=hint,
        spell_check=False,
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
            "No metered event passes these filters. Source and id must match exactly.",
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
        rx.table.cell(event.model, white_space="nowrap"),
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
                Events.open_event(event.source, event.id),
                label="Details of " + event.id,
                size="1",
            )
        ),
        key=event.source + " " + event.id,
        class_name=pick(event.fresh, "fb-fresh", ""),
        vertical_align="middle",
    )


def _event() -> rx.Component:
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
                rx.heading("Corrections", as_="h3", size="2", weight="medium"),
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
