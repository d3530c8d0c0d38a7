"""Applications: the list, and the dialogs that make and rename one."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventType

from portal.features.applications.bodies_dialog import bodies_dialog
from portal.features.applications.bodies_state import Bodies
from portal.features.applications.bounds import bounds_dialogs, label_budgets
from portal.features.applications.rows import DAYS, ApplicationRow
from portal.features.applications.state import Applications
from portal.kit.blocks import card, dialog_lead, form_error, loading_rows
from portal.kit.dialogs import confirmation, dialog, dialog_buttons
from portal.kit.fields import labeled, text_field
from portal.kit.icon import icon
from portal.kit.tables import remark, row_action, wide_table
from portal.kit.vars import each, pick
from portal.shared.bounds.bar import budget_bar
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Applications,
        content=(
            loaded(
                Applications,
                rx.fragment(_archive_switch(), _table(), label_budgets()),
                skeleton=card(loading_rows(3)),
            ),
            _dialog(
                "create",
                "Create an application",
                "Keys and usage belong to one: make one for each of your projects.",
                "",
                Applications.create,
                "Create",
            ),
            _dialog(
                "rename",
                "Rename the application",
                "Its usage so far gets the new name too; invoices that are issued stay.",
                Applications.renamed.name,
                Applications.rename,
                "Rename",
            ),
            bodies_dialog(),
            *bounds_dialogs(),
        ),
        lead="Your projects. Each has its own keys and its own usage.",
        actions=rx.cond(
            Applications.develops,
            rx.button(
                icon("plus", size=16),
                "Create application",
                on_click=Applications.ask_create,
                disabled=Applications.phase != "ready",
            ),
        ),
        query=Applications.query,
    )


def _archive_switch() -> rx.Component:
    return rx.cond(
        Applications.archived_count > 0,
        labeled(
            "Show archived",
            rx.switch(
                checked=Applications.with_archived,
                on_change=Applications.show_archived,
                size="1",
            ),
            color_scheme="gray",
            margin_bottom="var(--space-3)",
            display="block",
        ),
    )


def _table() -> rx.Component:
    return rx.card(
        wide_table(
            "applications",
            ("Application", "Active keys", "Requests", "Tokens", "Budget", "Created"),
            each(Applications.shown, _row),
            numbers=("Requests", "Tokens"),
        ),
        remark(f"Requests and tokens are of the last {DAYS} days."),
        size="1",
        width="100%",
    )


def _row(row: ApplicationRow) -> rx.Component:
    in_use = row.archived == ""
    return rx.table.row(
        rx.table.row_header_cell(
            rx.flex(
                rx.text(
                    row.name,
                    weight="medium",
                    color=pick(in_use, "var(--gray-12)", "var(--gray-11)"),
                ),
                rx.cond(in_use, rx.fragment(), rx.badge("Archived", color_scheme="gray")),
                spacing="2",
                align="center",
                wrap="wrap",
            ),
            rx.cond(row.limits != "", rx.text(row.limits, size="1", color_scheme="gray")),
            # Here, where a narrow screen shows them without scrolling
            rx.cond(Applications.develops, _actions(row)),
            min_width="13rem",
            max_width="22rem",
            overflow_wrap="anywhere",
        ),
        rx.table.cell(
            rx.link(row.keys_text, href=row.its_keys, aria_label=row.keys_text + " of " + row.name),
            white_space="nowrap",
        ),
        rx.table.cell(
            rx.link(
                row.requests,
                href=row.its_usage,
                aria_label=row.requests + " requests of " + row.name,
            ),
            class_name="fb-number",
        ),
        rx.table.cell(row.tokens, class_name="fb-number"),
        rx.table.cell(
            rx.cond(
                row.budget != "",
                budget_bar(row.budget, row.budget_part, row.budget_over, row.name),
                rx.text("None", size="2", color_scheme="gray"),
            )
        ),
        rx.table.cell(row.created, white_space="nowrap"),
        vertical_align="top",
    )


def _actions(row: ApplicationRow) -> rx.Component:
    return rx.flex(
        row_action("Rename", Applications.ask_rename(row.id), label="Rename " + row.name),
        row_action(
            "Bodies",
            Bodies.open_bodies(row.id, row.name),
            label="Bodies that are kept of calls of " + row.name,
        ),
        row_action(
            "Limits and budget",
            Applications.ask_bounds(row.id),
            label="Limits and budget of " + row.name,
        ),
        rx.cond(
            row.archived == "",
            confirmation(
                rx.button(
                    "Archive",
                    variant="ghost",
                    color_scheme="red",
                    aria_label="Archive " + row.name,
                ),
                "Archive " + row.name + "?",
                "It gets no new keys and leaves the lists; its usage and invoices stay. "
                "Keys that still work have to be revoked first.",
                rx.button(
                    "Archive it", color_scheme="red", on_click=Applications.archive(row.id, True)
                ),
            ),
            row_action(
                "Take back", Applications.archive(row.id, False), label="Take back " + row.name
            ),
        ),
        spacing="4",
        wrap="wrap",
        margin_top="var(--space-2)",
    )


def _dialog(
    called: str, title: str, lead: str, name: str, submit: EventType[()], doing: str
) -> rx.Component:
    return dialog(
        title,
        dialog_lead(lead),
        rx.form(
            rx.flex(
                text_field(
                    "Name",
                    "name",
                    of=f"application-{called}",
                    required=True,
                    max_length=100,
                    auto_focus=True,
                    value=name,
                    problem=Applications.problems["name"],
                ),
                form_error(Applications.problems["form"]),
                direction="column",
                spacing="4",
            ),
            dialog_buttons(rx.button(doing, type="submit")),
            on_submit=submit,
            margin_top="var(--space-4)",
        ),
        opened=Applications.dialog == called,
        close=Applications.close,
        width="28rem",
    )
