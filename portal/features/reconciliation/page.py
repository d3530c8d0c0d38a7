"""Reconciliation, for the operator: providers' exports against what was metered."""

from __future__ import annotations

import reflex as rx

from portal.features.reconciliation.drop_zone import drop_zone
from portal.features.reconciliation.rows import DifferenceRow, DriftLine, ImportRow, MarginLine
from portal.features.reconciliation.state import Reconciliations
from portal.kit.blocks import card, code, dialog_lead, empty, loading_rows
from portal.kit.dialogs import confirmation, dialog, dialog_buttons
from portal.kit.fields import labeled
from portal.kit.plain import csv_button
from portal.kit.tables import actions, remark, row_action, several_actions, wide_table
from portal.kit.vars import as_text, each, length, pick
from portal.shell.feature import Page
from portal.shell.loaded import loaded

_COMMAND = "farebox reconcile import costs.json --provider openai"
_STATUSES = (("explained", "Explained"), ("accepted", "Accepted"), ("open", "Open"))


def page() -> Page:
    """The page."""
    return Page(
        state=Reconciliations,
        content=(
            loaded(
                Reconciliations,
                rx.flex(
                    drop_zone(),
                    _imports(),
                    _differences(),
                    _margin(),
                    _drift(),
                    direction="column",
                    spacing="5",
                ),
                skeleton=card(loading_rows()),
            ),
            _decision(),
        ),
        lead="Providers’ invoices and usage exports against what was metered, over all customers.",
        query=Reconciliations.query,
    )


def _imports() -> rx.Component:
    return card(
        rx.cond(
            length(Reconciliations.imports) > 0,
            wide_table(
                "imports",
                ("Import", "Days", "Matched", "Open", "Resolved", "Billed", "Actions"),
                each(Reconciliations.imports, _import),
                numbers=("Matched", "Open", "Resolved"),
            ),
            empty(
                "scale",
                "No imports yet",
                "Import a provider’s invoice or usage export as it was downloaded: OpenAI’s, "
                "Anthropic’s, OpenRouter’s, FOCUS from a cloud, or any CSV with a mapping.",
                code(_COMMAND, label="The command that imports a file"),
            ),
        ),
        heading="Imports",
    )


def _import(row: ImportRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(row.provider, size="2", weight="medium"),
            rx.text(row.file_name, size="1", color_scheme="gray"),
            rx.cond(row.served != "", rx.text(row.served, size="1", color_scheme="gray")),
        ),
        rx.table.cell(row.days, white_space="nowrap"),
        rx.table.cell(row.agree, class_name="fb-number"),
        rx.table.cell(
            rx.badge(as_text(row.open), color_scheme=pick(row.open > 0, "red", "green")),
            class_name="fb-number",
        ),
        rx.table.cell(row.decided, class_name="fb-number"),
        rx.table.cell(row.billed),
        several_actions(
            rx.button(
                "Show",
                variant=pick(row.id == Reconciliations.chosen, "soft", "ghost"),
                on_click=Reconciliations.choose(row.id),
                aria_label="Show " + row.file_name,
                aria_pressed=row.id == Reconciliations.chosen,
            ),
            _removal(row),
        ),
        vertical_align="middle",
    )


def _removal(row: ImportRow) -> rx.Component:
    return confirmation(
        rx.button(
            "Remove", variant="ghost", color_scheme="red", aria_label="Remove " + row.file_name
        ),
        "Remove " + row.file_name + "?",
        "Its discrepancies and the notes on them are deleted. The file can be imported again.",
        rx.button("Remove the import", color_scheme="red", on_click=Reconciliations.remove(row.id)),
    )


def _differences() -> rx.Component:
    return rx.cond(
        Reconciliations.chosen != "",
        card(
            rx.cond(
                length(Reconciliations.rows) > 0,
                wide_table(
                    "discrepancies",
                    (
                        *("Day", "Model and meter", "Provider", "Metered", "Difference"),
                        *("Likely cause", "Status", "Actions"),
                    ),
                    each(Reconciliations.rows, _difference),
                    numbers=("Provider", "Metered", "Difference"),
                ),
                empty(
                    "circle-check",
                    pick(Reconciliations.only_open, "Nothing is open", "Nothing differs"),
                    "What the provider says agrees with what was metered, or was resolved.",
                ),
            ),
            rx.cond(
                Reconciliations.more,
                remark("These are the first 200; the CSV has all of them.", size="2"),
            ),
            heading="Discrepancies",
            aside=_tools(),
        ),
    )


def _tools() -> rx.Component:
    return rx.flex(
        labeled(
            "Open only",
            rx.switch(checked=Reconciliations.only_open, on_change=Reconciliations.show_open),
        ),
        rx.button("Match again", variant="soft", on_click=Reconciliations.match_again),
        csv_button("/downloads/reconciliations/" + Reconciliations.chosen + ".csv"),
        spacing="4",
        align="center",
        wrap="wrap",
    )


def _difference(row: DifferenceRow) -> rx.Component:
    return rx.table.row(
        rx.table.cell(row.day, white_space="nowrap"),
        rx.table.row_header_cell(row.what),
        rx.table.cell(row.provider, class_name="fb-number"),
        rx.table.cell(row.metered, class_name="fb-number"),
        rx.table.cell(row.difference, class_name="fb-number"),
        rx.table.cell(
            rx.text(row.cause, size="2", weight="medium"),
            rx.text(row.explanation, size="1", color_scheme="gray"),
            rx.cond(row.notes != "", rx.text(row.notes, size="1", white_space="pre-line")),
            class_name="fb-cause",
        ),
        rx.table.cell(rx.badge(row.status, color_scheme=row.color)),
        actions(
            row_action(
                "Resolve",
                Reconciliations.open_decision(row.id),
                label="Resolve " + row.day + ", " + row.what,
            )
        ),
        vertical_align="top",
    )


def _decision() -> rx.Component:
    return dialog(
        "Resolve this discrepancy",
        dialog_lead(Reconciliations.deciding_about),
        rx.form(
            rx.radio_group.root(
                rx.flex(
                    *[rx.radio_group.item(text, value=value) for value, text in _STATUSES],
                    direction="column",
                    spacing="2",
                ),
                name="status",
                default_value="explained",
                aria_label="Status",
            ),
            rx.el.label(
                rx.text("Note", size="2", weight="medium", margin_bottom="4px"),
                html_for="decision-note",
                style={"display": "block", "marginTop": "var(--space-4)"},
            ),
            rx.text_area(
                name="note",
                id="decision-note",
                rows="3",
                max_length=2000,
                aria_describedby="decision-problem",
            ),
            rx.box(
                rx.cond(
                    Reconciliations.form_problem != "",
                    rx.text(Reconciliations.form_problem, size="2", color_scheme="red"),
                ),
                id="decision-problem",
                role="alert",
            ),
            dialog_buttons(rx.button("Save", type="submit")),
            on_submit=Reconciliations.decide,
            margin_top="var(--space-4)",
        ),
        opened=Reconciliations.deciding != "",
        close=Reconciliations.close_decision,
        width="32rem",
    )


def _margin() -> rx.Component:
    return rx.cond(
        length(Reconciliations.margin) > 0,
        card(
            wide_table(
                "margin",
                ("Customer", "Model", "Revenue", "Cost", "Margin"),
                each(Reconciliations.margin, _margin_row),
                numbers=("Revenue", "Cost", "Margin"),
            ),
            remark(
                "Revenue as it is billed; cost at your rates, else at the provider’s list price.",
                size="2",
            ),
            heading="Margin in the present billing period",
        ),
    )


def _margin_row(line: MarginLine) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(line.tenant),
        rx.table.cell(line.model),
        rx.table.cell(line.revenue, class_name="fb-number"),
        rx.table.cell(line.cost, class_name="fb-number"),
        rx.table.cell(
            rx.cond(
                line.loss,
                rx.text(line.margin, size="2", color_scheme="red"),
                rx.text(line.margin, size="2"),
            ),
            class_name="fb-number",
        ),
    )


def _drift() -> rx.Component:
    return card(
        rx.cond(
            length(Reconciliations.drift) > 0,
            wide_table(
                "drift",
                ("Model and meter", "Reported", "Counted here", "Drift"),
                each(Reconciliations.drift, _drifted),
                numbers=("Reported", "Counted here", "Drift"),
            ),
            empty(
                "ruler",
                "Nothing to compare yet",
                "Calls of models whose tokenizer runs here are counted beside what their provider "
                "reports.",
            ),
        ),
        heading="Reported against counted tokens, last 30 days",
    )


def _drifted(line: DriftLine) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(line.what),
        rx.table.cell(line.reported, class_name="fb-number"),
        rx.table.cell(line.counted, class_name="fb-number"),
        rx.table.cell(
            rx.badge(line.drift, color_scheme=pick(line.alert, "red", "gray")),
            class_name="fb-number",
        ),
    )
