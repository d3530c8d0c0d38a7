"""Reconciliation, for the operator: providers' exports against what was metered."""

from __future__ import annotations

import reflex as rx

from portal.features.reconciliation.state import (
    DifferenceRow,
    DriftLine,
    ImportRow,
    MarginLine,
    Reconciliations,
)
from portal.kit.blocks import card, code, dialog_lead, empty, loading_rows
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import ticked
from portal.kit.plain import csv_button
from portal.kit.tables import actions, remark, row_action, wide_table
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
                    _imports(), _differences(), _margin(), _drift(), direction="column", spacing="5"
                ),
                retry=Reconciliations.load,
                skeleton=card(loading_rows()),
            ),
            _decision(),
        ),
        lead="Providers’ invoices and usage exports against what was metered, over all customers.",
    )


def _imports() -> rx.Component:
    return card(
        rx.cond(
            length(Reconciliations.imports) > 0,
            wide_table(
                "imports",
                ("Import", "Days", "Agree", "Open", "Decided", "Billed", "Actions"),
                each(Reconciliations.imports, _import),
            ),
            empty(
                "scale",
                "Nothing was imported yet",
                "Import a provider’s invoice or usage export as it was downloaded: OpenAI’s, "
                "Anthropic’s, or any CSV with a mapping.",
                code(_COMMAND, label="The command that imports a file"),
            ),
        ),
        heading="Imports",
    )


def _import(one: ImportRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(one.provider, size="2", weight="medium"),
            rx.text(one.file_name, size="1", color_scheme="gray"),
        ),
        rx.table.cell(one.days, white_space="nowrap"),
        rx.table.cell(one.agree),
        rx.table.cell(rx.badge(as_text(one.open), color_scheme=pick(one.open > 0, "red", "green"))),
        rx.table.cell(one.decided),
        rx.table.cell(one.billed),
        actions(
            rx.button(
                "Show",
                variant=pick(one.id == Reconciliations.chosen, "soft", "ghost"),
                on_click=Reconciliations.choose(one.id),
                aria_label="Show " + one.file_name,
                aria_pressed=one.id == Reconciliations.chosen,
            )
        ),
        vertical_align="middle",
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
                ),
                empty(
                    "circle-check",
                    pick(Reconciliations.only_open, "Nothing is open", "Nothing differs"),
                    "What the provider says agrees with what was metered, or was decided.",
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
        ticked(
            "Open only",
            rx.switch(checked=Reconciliations.only_open, on_change=Reconciliations.show_open),
        ),
        rx.button("Match again", variant="soft", on_click=Reconciliations.match_again),
        csv_button("/downloads/reconciliations/" + Reconciliations.chosen + ".csv"),
        spacing="4",
        align="center",
        wrap="wrap",
    )


def _difference(one: DifferenceRow) -> rx.Component:
    return rx.table.row(
        rx.table.cell(one.day, white_space="nowrap"),
        rx.table.row_header_cell(one.what),
        rx.table.cell(one.provider, white_space="nowrap"),
        rx.table.cell(one.metered, white_space="nowrap"),
        rx.table.cell(one.difference, white_space="nowrap"),
        rx.table.cell(
            rx.text(one.cause, size="2", weight="medium"),
            rx.text(one.explanation, size="1", color_scheme="gray"),
            rx.cond(one.notes != "", rx.text(one.notes, size="1", white_space="pre-line")),
            max_width="24rem",
        ),
        rx.table.cell(rx.badge(one.status, color_scheme=one.color)),
        actions(
            row_action(
                "Decide",
                Reconciliations.open_decision(one.id),
                says="Decide on " + one.day + ", " + one.what,
            )
        ),
        vertical_align="top",
    )


def _decision() -> rx.Component:
    return dialog(
        "What is made of it?",
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
            dialog_buttons(rx.button("Keep", type="submit")),
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
            ),
            remark(
                "Revenue as it is billed; cost at your rates, else at the provider’s list price.",
                size="2",
            ),
            heading="Margin in the present billing period",
        ),
    )


def _margin_row(one: MarginLine) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(one.tenant),
        rx.table.cell(one.model),
        rx.table.cell(one.revenue, white_space="nowrap"),
        rx.table.cell(one.cost, white_space="nowrap"),
        rx.table.cell(
            rx.cond(
                one.loss,
                rx.text(one.margin, size="2", color_scheme="red"),
                rx.text(one.margin, size="2"),
            ),
            white_space="nowrap",
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


def _drifted(one: DriftLine) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(one.what),
        rx.table.cell(one.reported),
        rx.table.cell(one.counted),
        rx.table.cell(rx.badge(one.drift, color_scheme=pick(one.alert, "red", "gray"))),
    )
