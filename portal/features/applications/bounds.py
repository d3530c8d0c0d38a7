"""Limits and budgets of applications, and budgets of labels: what is used of them, and setting."""

from __future__ import annotations

from typing import Any

import reflex as rx

from portal.features.applications.rows import LabelBudgetRow, UseRow
from portal.features.applications.state import Applications
from portal.kit.blocks import card, dialog_lead, form_error
from portal.kit.dialogs import confirmation, dialog, dialog_buttons
from portal.kit.fields import select_field, text_field
from portal.kit.icon import icon
from portal.kit.tables import remark, row_action, several_actions, wide_table
from portal.kit.vars import each, length
from portal.shared.bounds.bar import budget_bar
from portal.shared.bounds.fields import budget_fields, limit_fields


def bounds_dialogs() -> tuple[rx.Component, ...]:
    """The dialogs that set limits and budgets."""
    return (
        dialog(
            rx.fragment("Limits and budget of ", Applications.renamed.name),
            dialog_lead(
                "All keys of the application share them. Limits of each key and of the plan "
                "apply too: a call has to be within all of them."
            ),
            rx.cond(length(Applications.uses) > 0, _uses()),
            rx.cond(
                Applications.renamed.budget != "",
                rx.box(
                    budget_bar(
                        Applications.renamed.budget,
                        Applications.renamed.budget_part,
                        Applications.renamed.budget_over,
                        Applications.renamed.name,
                    ),
                    margin_top="var(--space-3)",
                ),
            ),
            _form(
                Applications.set_bounds,
                "Save",
                *limit_fields("application", Applications.bounds, Applications.problems),
                budget_fields("application", Applications.bounds, Applications.problems),
            ),
            opened=Applications.dialog == "bounds",
            close=Applications.close,
            width="34rem",
        ),
        dialog(
            "Give a label a budget",
            dialog_lead(
                "It applies to all calls with this value of the label, whichever key makes them. "
                "Callers set the labels themselves."
            ),
            _form(
                Applications.create_label_budget,
                "Create",
                rx.grid(
                    select_field(
                        "Label",
                        "label",
                        Applications.labels[0],
                        each(Applications.labels, lambda label: rx.select.item(label, value=label)),
                        of="label-budget",
                    ),
                    text_field(
                        "Value",
                        "value",
                        of="label-budget",
                        required=True,
                        max_length=200,
                        problem=Applications.problems["value"],
                    ),
                    columns=rx.breakpoints(initial="1", xs="2"),
                    spacing="4",
                ),
                budget_fields("label-budget", Applications.bounds, Applications.problems),
                form_error(Applications.problems["label"]),
            ),
            opened=Applications.dialog == "label-create",
            close=Applications.close,
            width="34rem",
        ),
        dialog(
            rx.fragment("Budget of ", Applications.changed.name),
            dialog_lead("What was used of it stays used."),
            _form(
                Applications.change_label_budget,
                "Save",
                budget_fields("label-budget", Applications.bounds, Applications.problems),
            ),
            opened=Applications.dialog == "label-change",
            close=Applications.close,
            width="34rem",
        ),
    )


def label_budgets() -> rx.Component:
    """The budgets of labels' values; nothing where no label is declared."""
    return rx.cond(
        length(Applications.labels) > 0,
        card(
            rx.cond(
                length(Applications.label_budgets) > 0,
                wide_table(
                    "label-budgets",
                    ("Label", "Used", "Left", "Begins anew", "Actions"),
                    each(Applications.label_budgets, _label_row),
                    numbers=("Left",),
                ),
                remark("None yet. A budget bounds what all calls with a label’s value may cost."),
            ),
            heading="Budgets of labels",
            aside=rx.cond(
                Applications.develops,
                rx.button(
                    icon("plus", size=16),
                    "Create budget",
                    variant="soft",
                    on_click=Applications.ask_label_budget(""),
                ),
            ),
            margin_top="var(--space-4)",
        ),
    )


def _label_row(row: LabelBudgetRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(row.name, overflow_wrap="anywhere", max_width="22rem"),
        rx.table.cell(budget_bar(row.used, row.part, row.over, row.name)),
        rx.table.cell(row.remaining, class_name="fb-number"),
        rx.table.cell(row.resets, white_space="nowrap"),
        rx.cond(
            Applications.develops,
            several_actions(
                row_action(
                    "Change",
                    Applications.ask_label_budget(row.id),
                    label="Change the budget of " + row.name,
                ),
                confirmation(
                    rx.button(
                        "Remove",
                        variant="ghost",
                        color_scheme="red",
                        aria_label="Remove the budget of " + row.name,
                    ),
                    "Remove the budget of " + row.name + "?",
                    "Its calls go on without.",
                    rx.button(
                        "Remove it",
                        color_scheme="red",
                        on_click=Applications.remove_label_budget(row.id),
                    ),
                ),
            ),
            rx.table.cell(),
        ),
        vertical_align="top",
    )


def _uses() -> rx.Component:
    return rx.flex(
        each(Applications.uses, _use),
        direction="column",
        spacing="3",
        margin_top="var(--space-3)",
    )


def _use(use: UseRow) -> rx.Component:
    return rx.box(
        rx.flex(
            rx.text(use.name, size="1", weight="medium"),
            rx.text(use.text, size="1", color_scheme="gray"),
            justify="between",
            gap="2",
            wrap="wrap",
        ),
        rx.progress(value=use.part, aria_label="Used: " + use.name, size="1", margin_top="4px"),
    )


def _form(on_submit: Any, doing: str, *fields: rx.Component) -> rx.Component:
    return rx.form(
        rx.flex(
            *fields, form_error(Applications.problems["form"]), direction="column", spacing="4"
        ),
        dialog_buttons(rx.button(doing, type="submit")),
        on_submit=on_submit,
        margin_top="var(--space-4)",
    )
