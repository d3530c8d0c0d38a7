"""What bounds a customer's calls: the list, and the dialogs that set it."""

from __future__ import annotations

from typing import Any

import reflex as rx

from portal.features.customer.keys.bounds_rows import BoundRow
from portal.features.customer.keys.bounds_state import BoundsOfCustomer
from portal.kit.blocks import card, dialog_lead, form_error
from portal.kit.dialogs import confirmation, dialog, dialog_buttons
from portal.kit.fields import text_field
from portal.kit.icon import icon
from portal.kit.tables import remark, row_action, several_actions, wide_table
from portal.kit.vars import each, length
from portal.shared.bounds.bar import budget_bar
from portal.shared.bounds.fields import budget_fields, limit_fields


def bounds_card() -> rx.Component:
    """The list."""
    return card(
        rx.cond(
            length(BoundsOfCustomer.bounds) > 0,
            wide_table(
                "customer-bounds",
                ("Of", "Kind", "Limits", "Budget", "Actions"),
                each(BoundsOfCustomer.bounds, _row),
            ),
            remark("No application yet. A label’s value may have a budget all the same."),
        ),
        rx.cond(BoundsOfCustomer.more_bounds, remark("And more, which the API lists.")),
        heading="Limits and budgets",
        aside=rx.button(
            icon("plus", size=16),
            "Budget of a label",
            variant="soft",
            on_click=BoundsOfCustomer.open_label_budget,
        ),
        margin_top="var(--space-5)",
    )


def bounds_dialogs() -> tuple[rx.Component, ...]:
    """The dialogs that set limits and budgets."""
    return (
        _dialog(
            "key-bounds",
            "Calls with the key are held by them, by those of its application and of the plan: "
            "the tightest refuses.",
            limits=True,
        ),
        _dialog(
            "application-bounds",
            "All keys of the application share them. Limits of each key and of the plan apply "
            "too: a call has to be within all of them.",
            limits=True,
        ),
        _dialog("label-bounds", "What was used of it stays used."),
        dialog(
            "Give a label a budget",
            dialog_lead(
                "It applies to all calls with this value of the label, whichever key makes them."
            ),
            _form(
                "label-budget",
                BoundsOfCustomer.create_label_budget,
                "Create",
                rx.grid(
                    *(
                        text_field(
                            name,
                            name.lower(),
                            of="label-budget",
                            required=True,
                            max_length=200,
                            problem=BoundsOfCustomer.problems[name.lower()],
                            note=note,
                        )
                        for name, note in (("Label", "One that is declared"), ("Value", ""))
                    ),
                    columns=rx.breakpoints(initial="1", xs="2"),
                    spacing="4",
                ),
            ),
            opened=BoundsOfCustomer.dialog == "label-budget",
            close=BoundsOfCustomer.close_dialog,
            width="34rem",
        ),
    )


def _row(row: BoundRow) -> rx.Component:
    of_label = row.kind == "Label"
    return rx.table.row(
        rx.table.row_header_cell(row.name, overflow_wrap="anywhere", max_width="20rem"),
        rx.table.cell(row.kind),
        rx.table.cell(row.limits, max_width="20rem"),
        rx.table.cell(rx.cond(row.used != "", budget_bar(row.used, row.part, row.over, row.name))),
        several_actions(
            row_action(
                "Change",
                BoundsOfCustomer.open_bounds(row.kind, row.id),
                label="Change what bounds " + row.name,
            ),
            rx.cond(of_label, _remove(row)),
        ),
        vertical_align="top",
    )


def _remove(row: BoundRow) -> rx.Component:
    return confirmation(
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
            on_click=BoundsOfCustomer.remove_label_budget(row.id),
        ),
    )


def _dialog(called: str, lead: str, *, limits: bool = False) -> rx.Component:
    edited, problems = BoundsOfCustomer.edited, BoundsOfCustomer.problems
    return dialog(
        rx.fragment("What bounds ", BoundsOfCustomer.about),
        dialog_lead(lead),
        _form(
            called,
            BoundsOfCustomer.set_bounds,
            "Save",
            *(limit_fields(called, edited, problems) if limits else ()),
        ),
        opened=BoundsOfCustomer.dialog == called,
        close=BoundsOfCustomer.close_dialog,
        width="34rem",
    )


def _form(called: str, on_submit: Any, doing: str, *fields: rx.Component) -> rx.Component:
    # Ids of its own: of two forms with a field of one id, one would send the other's
    return rx.form(
        rx.flex(
            *fields,
            budget_fields(called, BoundsOfCustomer.edited, BoundsOfCustomer.problems),
            form_error(BoundsOfCustomer.problems["form"]),
            direction="column",
            spacing="4",
        ),
        dialog_buttons(rx.button(doing, type="submit")),
        on_submit=on_submit,
        margin_top="var(--space-4)",
    )
