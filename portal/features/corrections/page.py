"""Corrections, for the operator: find an event, see what a change of it does, and make it."""

from __future__ import annotations

import reflex as rx

from portal.features.corrections.backfill_card import backfill_preview
from portal.features.corrections.changes import changes_preview
from portal.features.corrections.form_fields import correction_form
from portal.features.corrections.state import Corrections
from portal.kit.blocks import (
    card,
    dialog_lead,
    empty,
    facts,
    form_error,
    loading_rows,
    success,
)
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import pager, text_field
from portal.kit.focus import focus_here
from portal.kit.icon import icon
from portal.kit.tables import actions, moment, remark, row_action, wide_table
from portal.kit.vars import each, length, negated, pick
from portal.shared.customer.picker import customer_picker
from portal.shared.events.correction_list import correction_changes
from portal.shared.events.correction_rows import CorrectionRow
from portal.shared.events.event_name import event_name
from portal.shared.events.rows import EventRow
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Corrections,
        content=(
            loaded(
                Corrections,
                rx.flex(
                    _find(),
                    rx.cond(
                        Corrections.opened,
                        focus_here(_correct(), label="Correct " + Corrections.opened_id),
                    ),
                    _history(),
                    backfill_preview(),
                    direction="column",
                    spacing="5",
                ),
                skeleton=card(loading_rows()),
            ),
            _preview(),
        ),
        lead="Void or amend a customer’s events. Earlier values are kept.",
        actions=rx.cond(Corrections.phase == "ready", customer_picker(Corrections)),
        query=Corrections.query,
    )


def _find() -> rx.Component:
    return card(
        rx.form(
            rx.grid(
                _searched("source", "Source", Corrections.source, Corrections.problems["source"]),
                _searched("event_id", "Event id", Corrections.event_id),
                rx.box(
                    rx.button(icon("search", size=16), "Find", type="submit", variant="soft"),
                    padding_top="var(--space-5)",
                ),
                columns=rx.breakpoints(initial="1", sm="3"),
                spacing="3",
            ),
            on_submit=Corrections.search,
            role="search",
            aria_label="Find an event",
        ),
        success(Corrections.done, margin_top="var(--space-4)"),
        rx.box(
            rx.cond(
                Corrections.no_matches,
                rx.text(
                    "No matching event. Source and id must match exactly.",
                    size="2",
                    color_scheme="gray",
                    margin_top="var(--space-4)",
                ),
            ),
            role="status",
        ),
        rx.cond((length(Corrections.matches) > 0) & negated(Corrections.opened), _matches()),
        heading="Find the event",
    )


def _searched(name: str, label: str, value: str, problem: str | None = None) -> rx.Component:
    return text_field(
        label,
        name,
        of="find",
        problem=problem,
        value=value,
        version=Corrections.searched,
        placeholder="Exact match",
        spell_check=False,
    )


def _matches() -> rx.Component:
    return rx.box(
        wide_table(
            "found",
            ("Used", "Event", "Model", "Quantities", "Actions"),
            each(Corrections.matches, _match),
            size="1",
        ),
        rx.cond(Corrections.more_matches, remark("These are the newest; give the id for another.")),
        margin_top="var(--space-4)",
    )


def _match(event: EventRow) -> rx.Component:
    return rx.table.row(
        moment(event.time, event.day),
        rx.table.row_header_cell(*event_name(event)),
        rx.table.cell(event.model, white_space="nowrap"),
        rx.table.cell(rx.text(event.quantities, size="1"), min_width="12rem"),
        actions(
            row_action(
                "Correct",
                Corrections.open_event(event.sender, event.source, event.id),
                label="Correct " + event.id,
                size="1",
            )
        ),
        vertical_align="middle",
    )


def _correct() -> rx.Component:
    return card(
        rx.grid(
            rx.box(
                rx.cond(
                    Corrections.opened_state != "",
                    rx.badge(Corrections.opened_state, color_scheme=Corrections.opened_color),
                ),
                facts(Corrections.facts, margin_top="0"),
                remark("Its time and identity stay as they are."),
                min_width="0",
            ),
            correction_form(),
            columns=rx.breakpoints(initial="1", md="2"),
            spacing="6",
        ),
        heading=Corrections.opened_id,
        aside=rx.cond(
            length(Corrections.matches) > 1,
            rx.button(
                icon("arrow-left", size=16),
                "All matches",
                on_click=Corrections.close_event,
                variant="ghost",
                color_scheme="gray",
            ),
        ),
        id="correct",
    )


def _preview() -> rx.Component:
    void = Corrections.action == "void"
    return dialog(
        pick(void, "Void this event?", "Amend this event?"),
        dialog_lead(
            "Nothing was done yet. This is what ",
            pick(void, "voiding ", "amending "),
            Corrections.opened_id,
            " changes for ",
            Corrections.customer.name,
            ".",
        ),
        rx.box(
            changes_preview(Corrections.changes, Corrections.more_changes, Corrections.periods),
            margin_top="var(--space-4)",
        ),
        form_error(Corrections.problems["confirm"], margin_top="var(--space-4)"),
        dialog_buttons(
            rx.button(
                pick(void, "Void the event", "Amend the event"),
                color_scheme=pick(void, "red", "indigo"),
                on_click=Corrections.confirm,
            ),
            leave="Back to the form",
        ),
        opened=Corrections.previewing,
        close=Corrections.close_preview,
        width="44rem",
    )


def _history() -> rx.Component:
    return card(
        rx.cond(
            length(Corrections.history) > 0,
            wide_table(
                "corrections",
                ("When", "Event", "Changes", "Reason"),
                each(Corrections.history, _row),
                size="1",
            ),
            empty(
                "history",
                "No corrections yet",
                "Each correction of this customer’s events is kept here: what was before and what "
                "is since, who made it, and why.",
            ),
        ),
        pager(
            Corrections.number, Corrections.older, Corrections.show_newer, Corrections.show_older
        ),
        heading="History",
    )


def _row(correction: CorrectionRow) -> rx.Component:
    return rx.table.row(
        rx.table.cell(
            rx.text(correction.when, size="2"),
            rx.text(correction.who, size="1", color_scheme="gray", class_name="fb-id"),
            min_width="9rem",
        ),
        rx.table.row_header_cell(
            rx.text(correction.event, size="2", class_name="fb-id"),
            rx.text(correction.source, size="1", color_scheme="gray", class_name="fb-id"),
            rx.badge(correction.action, color_scheme=correction.color, size="1"),
        ),
        rx.table.cell(correction_changes(correction), min_width="13rem"),
        rx.table.cell(rx.text(correction.reason, size="2", class_name="fb-id"), min_width="9rem"),
        vertical_align="middle",
    )
