"""The forms of the chart of accounts: a posting's account, one by name, and saving."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventType

from portal.features.accounting.chart import GROUPS, ChangeRow
from portal.features.accounting.chart_state import Chart
from portal.kit.blocks import dialog_lead, form_error
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import select_field, text_field
from portal.kit.tables import table
from portal.kit.vars import each, pick


def chart_dialogs() -> rx.Component:
    """All of them; one is open at a time."""
    return rx.fragment(_edit(), _add(), _save())


def _edit() -> rx.Component:
    return dialog(
        "Account of " + Chart.name,
        dialog_lead("It is changed once you have saved the chart."),
        _form(
            Chart.apply,
            _account(Chart.account),
            rx.text("By default: ", Chart.standard, size="2", color_scheme="gray"),
            doing=(
                rx.button(
                    pick(Chart.has_name, "Remove", "Use the default"),
                    type="button",
                    on_click=Chart.use_default,
                    variant="soft",
                    color_scheme="gray",
                ),
                rx.button("Apply", type="submit"),
            ),
        ),
        opened=Chart.dialog == "edit",
        close=Chart.close_dialog,
        width="28rem",
    )


def _add() -> rx.Component:
    return dialog(
        "Add an account",
        dialog_lead("A payment method, a plan or a tax can have an account of its own."),
        _form(
            Chart.add,
            select_field(
                "Account of a",
                "group",
                next(iter(GROUPS)),
                *[rx.select.item(text, value=group) for group, (_, text, _) in GROUPS.items()],
                of="chart",
                problem=Chart.problems["group"],
            ),
            text_field(
                "Name",
                "name",
                of="chart",
                problem=Chart.problems["name"],
                note="As payments, prices and invoices have it, such as stripe, growth or VAT.",
            ),
            _account(""),
            doing=(rx.button("Add", type="submit"),),
        ),
        opened=Chart.dialog == "add",
        close=Chart.close_dialog,
        width="28rem",
    )


def _save() -> rx.Component:
    def row(change: ChangeRow) -> rx.Component:
        return rx.table.row(
            rx.table.row_header_cell(change.name),
            rx.table.cell(change.before, overflow_wrap="anywhere"),
            rx.table.cell(change.after, overflow_wrap="anywhere"),
        )

    return dialog(
        "Save the chart of accounts",
        dialog_lead(
            "Every month names the new accounts as soon as you save, past months too: Farebox "
            "keeps no entries. What your accounting program has imported stays there as it is; "
            "rebook it there, and don’t import those months again."
        ),
        rx.box(
            table("chart-changes", ("Posting", "Now", "Then"), each(Chart.changes, row), long=True),
            margin_top="var(--space-4)",
        ),
        form_error(Chart.problems["form"], margin_top="var(--space-4)"),
        dialog_buttons(rx.button("Save", on_click=Chart.save)),
        opened=Chart.dialog == "save",
        close=Chart.close_dialog,
        width="36rem",
    )


def _form(
    on_submit: EventType[()], *fields: rx.Component, doing: tuple[rx.Component, ...]
) -> rx.Component:
    return rx.form(
        rx.flex(*fields, form_error(Chart.problems["form"]), direction="column", spacing="4"),
        dialog_buttons(*doing),
        no_validate=True,
        on_submit=on_submit,
        margin_top="var(--space-4)",
    )


def _account(value: str) -> rx.Component:
    return text_field(
        "Account",
        "account",
        of="chart",
        problem=Chart.problems["account"],
        note="A number or a name, as your ledger has it; DATEV takes numbers alone.",
        value=value,
        version=Chart.opened_times,
        max_length=100,
    )
