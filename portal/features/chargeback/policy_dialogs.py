"""The forms of the policy editor: a unit, a rule, a shared rule, the terms, and keeping it."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex.event import EventType

from portal.features.chargeback.forms import NONE
from portal.features.chargeback.policy_rows import COSTS, MODES
from portal.features.chargeback.policy_state import Policies
from portal.kit.blocks import dialog_lead, form_error
from portal.kit.choice import Choice
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import select_field, text_field
from portal.kit.vars import each, pick


def policy_dialogs() -> rx.Component:
    """All of them; one is open at a time."""
    return rx.fragment(_unit(), _rule(), _shared(), _terms(), _save())


def _dialog(name: str, title: str, lead: str, form: rx.Component) -> rx.Component:
    return dialog(
        title,
        dialog_lead(lead),
        form,
        opened=Policies.dialog == name,
        close=Policies.close_dialog,
        width="32rem",
    )


def _form(on_submit: EventType[()], doing: str, *fields: rx.Component) -> rx.Component:
    return rx.form(
        rx.flex(*fields, form_error(Policies.problems["form"]), direction="column", spacing="4"),
        dialog_buttons(rx.button(doing, type="submit")),
        no_validate=True,
        on_submit=on_submit,
        margin_top="var(--space-4)",
    )


def _text(form: str, name: str, label: str, *, note: str = "", **props: Any) -> rx.Component:
    return text_field(label, name, of=form, problem=Policies.problems[name], note=note, **props)


def _select(
    form: str, name: str, label: str, value: str, *items: rx.Component, long: bool = False
) -> rx.Component:
    return select_field(
        label, name, value, *items, of=form, problem=Policies.problems[name], long=long
    )


def _options(choices: list[Choice], none: str) -> list[rx.Component]:
    return [
        rx.select.item(none, value=NONE),
        each(choices, lambda choice: rx.select.item(choice.name, value=choice.id)),
    ]


def _unit() -> rx.Component:
    editing, version = Policies.editing != "", Policies.opened_times
    return _dialog(
        "unit",
        pick(editing, "Change " + Policies.values.name, "Add a department or cost center"),
        "Costs go to cost centers; a department adds up what is below it.",
        _form(
            Policies.add_unit,
            pick(editing, "Change", "Add"),
            _text("unit", "name", "Name", value=Policies.values.name, version=version),
            rx.grid(
                _text(
                    "unit",
                    "code",
                    "Code",
                    note="As the ledger calls it, such as 4711.",
                    value=Policies.values.code,
                    version=version,
                ),
                _select(
                    "unit",
                    "kind",
                    "Kind",
                    Policies.values.kind,
                    rx.select.item("Cost center", value="cost_center"),
                    rx.select.item("Department", value="department"),
                ),
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
            _select(
                "unit",
                "parent",
                "Part of",
                Policies.values.parent,
                *_options(Policies.parents, "The top"),
                long=True,
            ),
            _text(
                "unit",
                "budget",
                "Budget for a month",
                note="Before tax. You are told when 80% and all of it is spent.",
                value=Policies.values.budget,
                version=version,
                input_mode="decimal",
            ),
        ),
    )


def _rule() -> rx.Component:
    return _dialog(
        "rule",
        "Add a rule for usage",
        "Usage that meets all that is chosen goes to the cost center.",
        _form(
            Policies.add_rule,
            "Add",
            _select(
                "rule",
                "application",
                "Application",
                NONE,
                *_options(Policies.applications, "Any"),
                long=True,
            ),
            _select("rule", "key", "Key", NONE, *_options(Policies.keys, "Any"), long=True),
            rx.grid(
                _select("rule", "label", "Label", NONE, *_options(Policies.labels, "Any")),
                _text("rule", "value", "Value of the label"),
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
            _select(
                "rule",
                "to",
                "Cost center",
                NONE,
                *_options(Policies.centers, "The one whose code is the label’s value"),
                long=True,
            ),
        ),
    )


def _shared() -> rx.Component:
    return _dialog(
        "shared",
        "Add a rule for shared costs",
        "The first rule that applies to a line of an invoice divides it.",
        _form(
            Policies.add_shared,
            "Add",
            _select(
                "shared",
                "costs",
                "Costs",
                NONE,
                rx.select.item("All shared costs", value=NONE),
                *[
                    rx.select.item(f"{name[:1].upper()}{name[1:]}", value=cost.value)
                    for cost, name in COSTS.items()
                ],
            ),
            _select(
                "shared",
                "split",
                "Divided",
                "even",
                rx.select.item("Evenly", value="even"),
                rx.select.item("By costs of usage", value="usage"),
                rx.select.item("By fixed parts", value="fixed"),
            ),
            _text(
                "shared",
                "among",
                "Among",
                note="Codes of departments or cost centers, separated by commas. Empty: all.",
            ),
            _text(
                "shared",
                "parts",
                "Fixed parts",
                note="A line each: a cost center’s code and its part, such as 4711 60.",
                lines=3,
            ),
        ),
    )


def _terms() -> rx.Component:
    return _dialog(
        "terms",
        "Mode and transfer price",
        "Begin with showback; journals are written once you charge back.",
        _form(
            Policies.set_terms,
            "Apply",
            _select(
                "terms",
                "mode",
                "Mode",
                Policies.mode,
                *[rx.select.item(name, value=mode.value) for mode, name in MODES.items()],
            ),
            rx.grid(
                _select(
                    "terms",
                    "price",
                    "Cost centers are charged",
                    Policies.price,
                    rx.select.item("Their cost", value="cost"),
                    rx.select.item("Cost plus a percentage", value="cost_plus"),
                    rx.select.item("List: before discounts", value="list"),
                ),
                text_field(
                    "Percentage",
                    "percent",
                    of="terms",
                    problem=Policies.problems["percent"],
                    value=Policies.percent,
                    input_mode="decimal",
                ),
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
        ),
    )


def _save() -> rx.Component:
    return _dialog(
        "save",
        "Save these departments and rules",
        "They hold from the day that you choose until the next policy. Choose a later day for a "
        "reorganization: what was before stays as it was.",
        _form(
            Policies.save,
            "Save",
            text_field(
                "From",
                "valid_from",
                of="save",
                problem=Policies.problems["valid_from"],
                value=Policies.chosen,
                type="date",
            ),
        ),
    )
