"""The editor of a policy: its departments, its rules, and what a month would be under them."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventType

from portal.features.chargeback.policy_dialogs import policy_dialogs
from portal.features.chargeback.policy_rows import RuleRow, UnitRow
from portal.features.chargeback.policy_state import Policies
from portal.features.chargeback.rows import BearerRow
from portal.kit.blocks import card, empty, loading_rows, stale, success
from portal.kit.fields import choice
from portal.kit.icon import icon
from portal.kit.tables import actions, remark, row_action, several_actions, wide_table
from portal.kit.vars import each, length, pick
from portal.shell.loaded import loaded


def policy_section() -> rx.Component:
    """All of it; who may not change anything sees it without buttons."""
    return rx.box(
        stale(Policies.problem, Policies.phase),
        success(Policies.done, margin_bottom="var(--space-5)"),
        loaded(
            Policies,
            rx.flex(
                _units(),
                rx.cond(length(Policies.units) > 0, rx.fragment(_rules(), _shared())),
                rx.cond(length(Policies.units) > 0, _terms()),
                rx.cond(Policies.preview_title != "", _preview()),
                direction="column",
                spacing="5",
            ),
            retry=Policies.load,
            skeleton=card(loading_rows()),
        ),
        policy_dialogs(),
        id="policy",
    )


def _opens(form: str, text: str) -> rx.Component:
    return rx.cond(
        Policies.plans_change,
        rx.button(
            icon("plus", size=16),
            text,
            on_click=Policies.open_dialog(form),
            variant="soft",
            color_scheme="gray",
        ),
    )


def _units() -> rx.Component:
    return card(
        rx.cond(
            length(Policies.units) > 0,
            wide_table(
                "units",
                ("Department or cost center", "Kind", "Budget", "Price", "Actions"),
                each(Policies.units, _unit),
            ),
            empty(
                "network",
                "No departments yet",
                "Set up departments and cost centers, and say which usage goes where. A preview "
                "shows the last month before anything is saved.",
                _opens("unit", "Add a department or cost center"),
                id="no-departments",
            ),
        ),
        heading="Departments",
        aside=rx.flex(
            rx.cond(
                length(Policies.versions) > 0,
                choice(
                    "Policy",
                    Policies.chosen,
                    Policies.choose,
                    each(
                        Policies.versions,
                        lambda version: rx.select.item(version.name, value=version.id),
                    ),
                    width="auto",
                ),
            ),
            rx.cond(length(Policies.units) > 0, _opens("unit", "Add")),
            spacing="3",
            wrap="wrap",
            align="center",
        ),
    )


def _unit(row: UnitRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.box(
                rx.text(row.name),
                rx.text(row.code, size="1", color_scheme="gray"),
                padding_left=row.indent,
            )
        ),
        rx.table.cell(row.kind, white_space="nowrap"),
        rx.table.cell(pick(row.budget != "", row.budget, "–"), white_space="nowrap"),
        rx.table.cell(pick(row.price != "", row.price, "–"), white_space="nowrap"),
        several_actions(
            rx.cond(
                Policies.plans_change,
                row_action("Change", Policies.edit_unit(row.code), label="Change " + row.name),
            ),
            _removes(Policies.remove_unit(row.code), "Remove " + row.name),
        ),
        vertical_align="middle",
    )


def _rules() -> rx.Component:
    return card(
        rx.cond(
            length(Policies.rules) > 0,
            wide_table(
                "rules", ("No.", "Usage of", "Goes to", "Actions"), each(Policies.rules, _rule)
            ),
            empty(
                "split",
                "No rules for usage",
                "Until there is one, all usage is unallocated.",
                id="no-rules",
            ),
        ),
        remark("The first rule that matches decides."),
        heading="Usage",
        aside=_opens("rule", "Add a rule"),
    )


def _rule(row: RuleRow) -> rx.Component:
    return rx.table.row(
        rx.table.cell(row.number, color="var(--gray-11)"),
        rx.table.row_header_cell(row.what),
        rx.table.cell(row.goes_to),
        several_actions(
            rx.cond(
                Policies.plans_change & (row.place > 0),
                row_action(
                    "Up",
                    Policies.raise_rule(row.place),
                    label="Move rule " + row.number + " up",
                ),
            ),
            _removes(Policies.remove_rule(row.place), "Remove rule " + row.number),
        ),
        vertical_align="middle",
    )


def _shared() -> rx.Component:
    return card(
        rx.cond(
            length(Policies.shared) > 0,
            wide_table(
                "shared",
                ("No.", "Costs", "Divided", "Actions"),
                each(Policies.shared, _shared_rule),
            ),
            empty(
                "scale",
                "No rules for shared costs",
                "Fees and minimums are unallocated; discounts follow the usage that they reduce.",
                id="no-shared",
            ),
        ),
        heading="Shared costs",
        aside=_opens("shared", "Add a rule"),
    )


def _shared_rule(row: RuleRow) -> rx.Component:
    return rx.table.row(
        rx.table.cell(row.number, color="var(--gray-11)"),
        rx.table.row_header_cell(row.what),
        rx.table.cell(row.goes_to),
        actions(_removes(Policies.remove_shared(row.place), "Remove shared rule " + row.number)),
        vertical_align="middle",
    )


def _removes(on_click: EventType[()], label: str) -> rx.Component:
    return rx.cond(
        Policies.plans_change, row_action("Remove", on_click, label=label, color_scheme="red")
    )


def _terms() -> rx.Component:
    return card(
        rx.flex(
            rx.box(
                rx.text(Policies.mode_name, size="2"),
                rx.text("Transfer price: ", Policies.price_text, size="2", color_scheme="gray"),
            ),
            rx.flex(
                rx.cond(
                    Policies.plans_change,
                    rx.button(
                        "Change",
                        on_click=Policies.open_dialog("terms"),
                        variant="soft",
                        color_scheme="gray",
                        aria_label="Change mode and price",
                    ),
                ),
                rx.button("Preview last month", on_click=Policies.show_preview, variant="soft"),
                rx.cond(
                    Policies.plans_change,
                    rx.button("Save…", on_click=Policies.open_dialog("save")),
                ),
                spacing="3",
                wrap="wrap",
            ),
            justify="between",
            align="center",
            wrap="wrap",
            spacing="4",
        ),
        rx.cond(
            Policies.changed & Policies.plans_change,
            remark("There are changes that are not saved yet.", size="2"),
        ),
        id="policy-terms",
    )


def _preview() -> rx.Component:
    numbers = ("Cost", "Charged")
    return card(
        wide_table(
            "preview",
            ("Department", *numbers),
            each(Policies.preview, _previewed),
            numbers=numbers,
        ),
        remark(Policies.preview_note, size="2"),
        heading=Policies.preview_title,
        role="status",
    )


def _previewed(row: BearerRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.box(
                rx.text(row.name, weight=pick(row.strong, "medium", "regular")),
                padding_left=row.indent,
            )
        ),
        rx.table.cell(row.cost, class_name="fb-number"),
        rx.table.cell(row.charged, class_name="fb-number"),
    )
