"""Events: what was metered one by one, as it comes in, and what became of each."""

from __future__ import annotations

import reflex as rx

from portal.components.blocks import card, dialog_lead, empty, failed, loading_rows, stale
from portal.components.copy_button import copy_button
from portal.components.corrections import correction_list
from portal.components.fields import choice, field, pager
from portal.components.focus import return_focus
from portal.components.plain import plain_link
from portal.components.shell import shell
from portal.event_choice import SPANS
from portal.event_rows import EventRow, FactRow, QuantityRow
from portal.state.events import ANY, Events
from portal.state.usage import Choice

ROUTE, TITLE, ON_LOAD = "/events", "Events", (Events.watch,)


def page() -> rx.Component:
    """The page."""
    return shell(
        ROUTE,
        TITLE,
        stale(Events.problem, Events.phase),
        rx.cond(
            Events.phase == "failed",
            failed(Events.problem, Events.watch),
            rx.flex(_filters(), _list(), _event(), direction="column", spacing="5"),
        ),
        lead="Every usage event as it counts now, newest first by the time of use.",
        actions=rx.button(
            plain_link(rx.icon("download", size=16), "CSV", href=Events.csv, download=True),
            as_child=True,
            variant="soft",
            color_scheme="gray",
        ),
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
                    _written("since", "From", Events.since, kind="datetime-local"),
                    _written("until", "To", Events.until, kind="datetime-local"),
                ),
            ),
            _written("source", "Source", Events.source, hint="Whole, as it was sent"),
            _written("event_id", "Event id", Events.event_id, hint="Whole, as it was sent"),
            _written("label", "Label", Events.label, hint="team=search"),
            rx.flex(
                rx.button(rx.icon("search", size=16), "Find", type="submit", variant="soft"),
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


def _from(name: str, label: str, everything: str, offered: rx.Var[list[Choice]]) -> rx.Component:
    return choice(
        label,
        getattr(Events, name),
        lambda value: Events.choose(name, value),
        rx.select.item(everything, value=ANY),
        rx.foreach(offered, lambda one: rx.select.item(one.name, value=one.id)),
    )


def _written(
    name: str, label: str, value: rx.Var[str], *, hint: str = "", kind: str = "text"
) -> rx.Component:
    return field(
        label,
        rx.input(
            name=name,
            id=f"event-{name}",
            type=kind,
            default_value=value,
            key=f"{name}-" + Events.cleared.to(str),
            placeholder=hint,
            max_length=200,
            auto_complete=False,
            spell_check=False,
            aria_describedby=f"event-{name}-problem",
        ),
        html_for=f"event-{name}",
        problem=rx.cond(Events.wrong_field == name, Events.wrong, ""),
    )


def _list() -> rx.Component:
    return card(
        rx.match(
            Events.phase,
            ("loading", loading_rows(8)),
            rx.cond(Events.rows.length() > 0, _table(), _none()),
        ),
        pager(Events.number, Events.older, Events.show_newer, Events.show_older),
        heading=rx.cond(Events.filtered, "Matching events", "All events"),
        aside=_live(),
    )


def _live() -> rx.Component:
    following = (Events.number == 1) & ~Events.paused
    return rx.flex(
        rx.flex(
            rx.cond(following, rx.box(class_name="fb-live"), rx.fragment()),
            rx.text(Events.status, size="2", color_scheme="gray", role="status"),
            align="center",
            spacing="2",
        ),
        rx.button(
            rx.cond(following, rx.icon("pause", size=14), rx.icon("play", size=14)),
            rx.cond(following, "Pause", "Follow"),
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
            "No event is like that",
            "Nothing that was metered passes these filters. Source and id have to be whole.",
            rx.button("Clear the filters", on_click=Events.clear, variant="soft"),
            id="no-events",
        ),
        empty(
            "list",
            "No events yet",
            "Each call of a model is one, and so is each that you send to the API yourself. It "
            "shows here within two seconds.",
            rx.button(
                rx.link("Open the playground", href="/playground", underline="none"),
                as_child=True,
                variant="soft",
            ),
            id="no-events",
        ),
    )


def _table() -> rx.Component:
    headings = ("Used", "Event", "Application", "Model", "Quantities")
    return rx.box(
        rx.table.root(
            rx.table.header(
                rx.table.row(
                    *[rx.table.column_header_cell(heading) for heading in headings],
                    rx.table.column_header_cell(rx.el.span("Actions", class_name="fb-unseen")),
                )
            ),
            rx.table.body(rx.foreach(Events.rows, _row)),
            size="1",
            width="100%",
            id="events",
        ),
        class_name="fb-wide",
    )


def _row(event: rx.Var[EventRow]) -> rx.Component:
    return rx.table.row(
        rx.table.cell(
            rx.text(event.time, size="2"),
            rx.text(event.day, size="1", color_scheme="gray"),
            white_space="nowrap",
        ),
        rx.table.row_header_cell(
            rx.text(event.id, size="2", class_name="fb-id"),
            rx.text(event.source, size="1", color_scheme="gray", class_name="fb-id"),
            rx.cond(event.state != "", rx.badge(event.state, color_scheme=event.colour, size="1")),
            max_width="16rem",
        ),
        rx.table.cell(
            rx.text(event.application, size="2"),
            rx.cond(event.key != "", rx.text(event.key, size="1", color_scheme="gray")),
        ),
        rx.table.cell(event.model, white_space="nowrap"),
        rx.table.cell(
            rx.text(
                event.quantities,
                size="1",
                text_decoration=rx.cond(event.state == "Voided", "line-through", "none"),
            ),
            min_width="13rem",
        ),
        rx.table.cell(
            rx.button(
                "Details",
                variant="ghost",
                size="1",
                on_click=Events.open_event(event.source, event.id),
                aria_label="Details of " + event.id,
            ),
            text_align="right",
        ),
        key=event.source + " " + event.id,
        class_name=rx.cond(event.fresh, "fb-fresh", ""),
        vertical_align="middle",
    )


def _event() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            return_focus(),
            rx.dialog.title(
                rx.flex(
                    "Event",
                    rx.cond(
                        Events.opened_state != "",
                        rx.badge(Events.opened_state, color_scheme=Events.opened_colour),
                    ),
                    align="center",
                    spacing="3",
                )
            ),
            dialog_lead(
                rx.match(
                    Events.opened_state,
                    ("Voided", "It counts for nothing. What it had counted is below."),
                    ("Amended", "It counts as its last correction says."),
                    "It counts as it was sent.",
                )
            ),
            rx.el.dl(rx.foreach(Events.facts, _fact), class_name="fb-facts"),
            _quantities(),
            rx.cond(
                Events.corrections.length() > 0,
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
                    rx.button(
                        rx.link("Correct it", href=Events.correct_at, underline="none"),
                        as_child=True,
                        variant="soft",
                    ),
                ),
                rx.spacer(),
                rx.dialog.close(rx.button("Close", variant="soft", color_scheme="gray")),
                spacing="3",
                wrap="wrap",
                margin_top="var(--space-5)",
            ),
            max_width="38rem",
        ),
        open=Events.opened,
        on_open_change=Events.close_event,
    )


def _fact(fact: rx.Var[FactRow]) -> rx.Component:
    return rx.fragment(
        rx.el.dt(rx.text(fact.name, size="2", color_scheme="gray")),
        rx.el.dd(rx.text(fact.value, size="2", class_name="fb-id")),
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
        rx.table.body(rx.foreach(Events.quantities, _quantity)),
        size="1",
        width="100%",
        margin_top="var(--space-4)",
    )


def _quantity(one: rx.Var[QuantityRow]) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(one.meter),
        rx.table.cell(one.quantity, class_name="fb-number"),
        rx.cond(Events.counted_here, rx.table.cell(one.counted, class_name="fb-number")),
    )
