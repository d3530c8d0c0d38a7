"""The audit: filters, the list of entries, and files of them."""

from __future__ import annotations

import reflex as rx

from portal.features.audit.rows import AuditRow
from portal.features.audit.state import Audit
from portal.kit.blocks import card, empty, loading_rows
from portal.kit.fields import pager, text_field
from portal.kit.plain import csv_button, file_button
from portal.kit.tables import moment, wide_table
from portal.kit.vars import each, length, pick
from portal.shared.filters.form import filter_form
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Audit,
        content=(
            rx.cond(Audit.operates, _whose()),
            card(_filters(), margin_bottom="var(--space-4)"),
            loaded(
                Audit,
                rx.fragment(
                    rx.cond(length(Audit.entries) > 0, _table(), _none()),
                    pager(Audit.number, Audit.older, Audit.show_newer, Audit.show_older),
                ),
                skeleton=card(loading_rows()),
            ),
        ),
        lead="Who changed what, when and from where. Entries are never changed.",
        actions=_files(),
        query=Audit.query,
    )


def _whose() -> rx.Component:
    return rx.segmented_control.root(
        rx.segmented_control.item("This organization", value="own"),
        rx.segmented_control.item("Everybody", value="everybody"),
        value=pick(Audit.everybody, "everybody", "own"),
        on_change=Audit.choose,
        margin_bottom="var(--space-4)",
    )


def _files() -> rx.Component:
    return rx.flex(
        csv_button("/downloads/audit.csv?" + Audit.query),
        file_button("JSON lines", "/downloads/audit.jsonl?" + Audit.query),
        spacing="3",
        align="center",
    )


def _filters() -> rx.Component:
    return filter_form(
        [],
        [
            _field("action", "Action", Audit.question.action, hint="key, or key.create"),
            _field("actor", "Who", Audit.question.actor, hint="Id of a person or key"),
            _field("target", "To what", Audit.question.target, hint="Id"),
            rx.cond(
                Audit.everybody,
                _field("tenant", "Customer", Audit.question.tenant, hint="Id; all if empty"),
            ),
            _field("since", "From", Audit.question.since, kind="date"),
            _field("until", "To", Audit.question.until, kind="date"),
        ],
        filtered=Audit.filtered,
        clear=Audit.clear,
        search=Audit.search,
    )


def _field(
    name: str, label: str, value: str, *, hint: str = "", kind: str = "text"
) -> rx.Component:
    return text_field(
        label,
        name,
        of="audit",
        problem=Audit.problems[name],
        value=value,
        version=Audit.cleared,
        type=kind,
        placeholder=hint,
        spell_check=False,
    )


def _none() -> rx.Component:
    return card(
        empty(
            "scroll-text",
            "No entries",
            "No changes match these filters.",
        )
    )


def _table() -> rx.Component:
    return rx.card(
        wide_table(
            "audit",
            ("Time", "Who", "Action", "To what", "From"),
            each(Audit.entries, _row),
        ),
        size="1",
        width="100%",
    )


def _row(entry: AuditRow) -> rx.Component:
    return rx.table.row(
        moment(entry.time, entry.day),
        rx.table.cell(
            rx.flex(
                rx.text(entry.actor, weight="medium", size="2"),
                rx.cond(
                    (entry.kind != "") & (entry.kind != entry.actor),
                    rx.badge(entry.kind, color_scheme="gray", size="1"),
                ),
                spacing="2",
                align="center",
            ),
            _id(entry.actor_id),
        ),
        rx.table.row_header_cell(rx.code(entry.action, variant="ghost", white_space="nowrap")),
        rx.table.cell(
            _id(entry.target),
            rx.cond(
                entry.detail != "",
                rx.text(entry.detail, size="1", overflow_wrap="anywhere"),
            ),
            rx.cond(
                Audit.everybody & (entry.tenant != ""),
                rx.text("Customer ", entry.tenant, size="1", color_scheme="gray"),
            ),
            min_width="16rem",
            max_width="26rem",
        ),
        rx.table.cell(
            rx.text(entry.address, size="2", white_space="nowrap"),
            rx.cond(entry.request != "", _id(entry.request)),
        ),
        vertical_align="top",
    )


def _id(text: str) -> rx.Component:
    return rx.text(text, size="1", color_scheme="gray", overflow_wrap="anywhere")
