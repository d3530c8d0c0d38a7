"""Operations, for the operator: the backlog of metering, its dead letters, invoice runs."""

from __future__ import annotations

import reflex as rx

from portal.features.operations.refused_card import refused_events
from portal.features.operations.rows import LetterRow
from portal.features.operations.runs_card import invoice_runs
from portal.features.operations.state import Operations
from portal.features.operations.streams_card import usage_streams
from portal.features.operations.worker_card import worker_tasks
from portal.features.operations.worker_rows import WaitingRow
from portal.kit.blocks import (
    card,
    dialog_lead,
    empty,
    figure,
    form_error,
    loading_rows,
)
from portal.kit.dialogs import confirmation, dialog
from portal.kit.tables import actions, row_action, wide_table
from portal.kit.vars import as_text, each, length, pick
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Operations,
        content=(
            loaded(
                Operations,
                rx.flex(
                    _figures(),
                    rx.cond(length(Operations.waiting_longest) > 0, _waiting_longest()),
                    rx.cond(length(Operations.streams) > 0, usage_streams()),
                    _letters(),
                    rx.cond(
                        Operations.phase != "loading",
                        rx.fragment(refused_events(), worker_tasks(), invoice_runs()),
                    ),
                    _letter(),
                    direction="column",
                    spacing="5",
                ),
            ),
        ),
        lead="Events between being accepted and being counted, over all customers.",
    )


def _figures() -> rx.Component:
    loading = Operations.phase == "loading"
    return rx.grid(
        figure(
            "Messages waiting",
            Operations.waiting,
            rx.text(
                Operations.waiting_note,
                size="2",
                color_scheme=pick(Operations.late, "red", "gray"),
            ),
            loading=loading,
        ),
        figure(
            "Events counted per second",
            Operations.throughput,
            Operations.throughput_note,
            loading=loading,
        ),
        figure("Stream in use", Operations.fill, Operations.fill_note, loading=loading),
        figure("Newest event counted", Operations.counted, "By time of receipt", loading=loading),
        columns=rx.breakpoints(initial="2", lg="4"),
        spacing="4",
    )


def _waiting_longest() -> rx.Component:
    def row(waiting: WaitingRow) -> rx.Component:
        return rx.table.row(rx.table.row_header_cell(waiting.tenant), rx.table.cell(waiting.since))

    return card(
        wide_table(
            "waiting-longest", ("Customer", "Oldest from"), each(Operations.waiting_longest, row)
        ),
        heading="Waiting longest",
    )


def _letters() -> rx.Component:
    return card(
        rx.cond(
            Operations.phase == "loading",
            loading_rows(),
            rx.cond(length(Operations.letters) > 0, _table(), _none()),
        ),
        heading="Failed messages",
    )


def _none() -> rx.Component:
    return empty(
        "mail-check",
        "No failed messages",
        "A message that can’t be counted is set aside here with its reason, to be put right and "
        "counted after all.",
    )


def _table() -> rx.Component:
    return wide_table(
        "dead-letters",
        ("Reason", "Events", "Size", "Failed", "Actions"),
        each(Operations.letters, _row),
    )


def _row(letter: LetterRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(rx.text(letter.reason, size="2"), max_width="32rem"),
        rx.table.cell(letter.events),
        rx.table.cell(letter.size, white_space="nowrap"),
        rx.table.cell(letter.age, white_space="nowrap"),
        actions(
            row_action(
                "Open",
                Operations.open_letter(letter.sequence),
                label="Open failed message " + as_text(letter.sequence),
            )
        ),
        vertical_align="middle",
    )


def _letter() -> rx.Component:
    return dialog(
        rx.fragment("Failed message ", Operations.opened),
        dialog_lead(Operations.opened_reason),
        rx.form(
            rx.el.label(
                rx.text(
                    pick(Operations.readable, "Events", "Replacement events"),
                    size="2",
                    weight="medium",
                    margin_bottom="4px",
                ),
                html_for="letter-events",
            ),
            rx.cond(
                Operations.readable,
                rx.fragment(),
                rx.el.pre(
                    Operations.text,
                    class_name="fb-code",
                    tab_index=0,
                    aria_label="Content of the message",
                    style={"maxHeight": "10rem", "overflow": "auto"},
                ),
            ),
            rx.text_area(
                name="events",
                id="letter-events",
                default_value=pick(Operations.readable, Operations.text, "[]"),
                key=as_text(Operations.opened),
                rows="16",
                spell_check=False,
                font_family="var(--code-font-family)",
                aria_describedby="letter-problem",
            ),
            form_error(
                Operations.form_problem, called="letter-problem", margin_top="var(--space-3)"
            ),
            rx.flex(
                _discard(),
                rx.spacer(),
                rx.dialog.close(
                    rx.button("Close", type="button", variant="soft", color_scheme="gray")
                ),
                rx.button("Count these events", type="submit"),
                spacing="3",
                align="center",
                margin_top="var(--space-5)",
            ),
            on_submit=Operations.replay,
            margin_top="var(--space-4)",
        ),
        opened=Operations.opened != 0,
        close=Operations.close_letter,
        width="46rem",
    )


def _discard() -> rx.Component:
    return confirmation(
        rx.button("Discard", type="button", variant="ghost", color_scheme="red"),
        "Discard this message?",
        "Its events are never counted and never billed. This can’t be undone.",
        rx.button("Discard it", color_scheme="red", on_click=Operations.discard),
    )
