"""The dialogs about a plan: another with its proration, seats, add-ons, a coupon, its end."""

from __future__ import annotations

from collections.abc import Callable

import reflex as rx
from reflex.event import EventType

from portal.features.spend.plan_change import AddOnRow, PreviewRow
from portal.features.spend.plan_rows import PlanCard
from portal.features.spend.plan_state import Plans
from portal.kit.blocks import dialog_lead, form_error
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import text_field
from portal.kit.tables import wide_table
from portal.kit.vars import each, pick

Terms = Callable[[list[str]], rx.Component]


def plan_dialogs(terms_list: Terms) -> rx.Component:
    """All of them; ``terms_list`` shows a plan's terms."""
    return rx.fragment(_change(terms_list), _quantities(), _coupon(), _end())


def _change(terms_list: Terms) -> rx.Component:
    return dialog(
        pick(Plans.preview.plan != "", "Move to " + Plans.preview.plan + "?", "Change plan"),
        dialog_lead(
            pick(Plans.preview.plan != "", "From " + Plans.preview.starts + ".", Plans.takes_effect)
        ),
        rx.cond(
            Plans.preview.plan != "",
            _confirmation(),
            rx.fragment(
                rx.grid(
                    each(Plans.offered, lambda plan: _offer(plan, terms_list)),
                    columns=rx.breakpoints(initial="1", sm="2", md="3"),
                    spacing="3",
                    margin_top="var(--space-4)",
                ),
                form_error(Plans.problems["form"]),
                dialog_buttons(),
            ),
        ),
        opened=Plans.dialog == "change",
        close=Plans.close,
        width="62rem",
    )


def _offer(plan: PlanCard, terms_list: Terms) -> rx.Component:
    return rx.card(
        rx.flex(
            rx.text(plan.name, weight="medium", size="3"),
            rx.cond(
                plan.description != "",
                rx.text(plan.description, size="2", color_scheme="gray"),
            ),
            rx.button(
                "Choose",
                on_click=Plans.ask(plan.id),
                aria_label="Choose " + plan.name,
                variant="soft",
                width="100%",
            ),
            terms_list(plan.terms),
            direction="column",
            spacing="3",
        ),
        size="2",
    )


def _confirmation() -> rx.Component:
    """What the change would do to the present period, before it is made."""
    return rx.fragment(
        wide_table(
            "plan-preview",
            ("This period", "As it is", "After the change"),
            each(Plans.preview_rows, _row),
            rx.table.row(
                rx.table.row_header_cell(rx.text("Total", weight="medium")),
                rx.table.cell(Plans.preview.now, class_name="fb-number"),
                rx.table.cell(rx.text(Plans.preview.then, weight="medium"), class_name="fb-number"),
            ),
            numbers=("As it is", "After the change"),
            long=True,
        ),
        rx.text(
            "This period would cost ",
            rx.text.strong(Plans.preview.difference),
            ", by the usage so far and before tax. Fees count for the time that each plan covers.",
            size="2",
            margin_top="var(--space-3)",
        ),
        form_error(Plans.problems["form"]),
        dialog_buttons(
            rx.button("Back", variant="soft", color_scheme="gray", on_click=Plans.back),
            rx.button("Confirm the change", on_click=Plans.confirm),
        ),
    )


def _row(row: PreviewRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(row.name),
        rx.table.cell(row.now, class_name="fb-number"),
        rx.table.cell(row.then, class_name="fb-number"),
    )


def _quantities() -> rx.Component:
    return dialog(
        "Seats and add-ons",
        dialog_lead("What it costs is shown before you confirm it."),
        rx.cond(
            Plans.preview.plan != "",
            _confirmation(),
            _form(
                Plans.ask_quantities,
                "Continue",
                rx.cond(
                    Plans.has_seats,
                    text_field(
                        "Seats",
                        "seats",
                        of="plan",
                        value=Plans.seats,
                        input_mode="numeric",
                        problem=Plans.problems["seats"],
                    ),
                ),
                each(Plans.add_ons, _add_on),
                form_error(Plans.problems["add_ons"]),
            ),
        ),
        opened=Plans.dialog == "quantities",
        close=Plans.close,
        width="36rem",
    )


def _add_on(row: AddOnRow) -> rx.Component:
    return rx.el.label(
        rx.text(row.name, size="2", weight="medium", margin_bottom="4px"),
        rx.input(
            name="add-on:" + row.id,
            default_value=row.quantity,
            input_mode="numeric",
            auto_complete="off",
            max_length=8,
        ),
    )


def _coupon() -> rx.Component:
    return dialog(
        "Redeem a coupon",
        dialog_lead("It counts from the present period on."),
        _form(
            Plans.redeem,
            "Redeem",
            text_field(
                "Code",
                "coupon",
                of="plan",
                auto_focus=True,
                spell_check=False,
                problem=Plans.problems["coupon"],
            ),
        ),
        opened=Plans.dialog == "coupon",
        close=Plans.close,
        width="28rem",
    )


def _end() -> rx.Component:
    return dialog(
        "End the plan?",
        dialog_lead(
            "Without a plan calls are refused. Keys, usage and invoices stay, and choosing a plan "
            "again takes this back."
        ),
        form_error(Plans.problems["form"]),
        dialog_buttons(
            rx.button(
                "End it now",
                color_scheme="red",
                variant="soft",
                on_click=Plans.cancel("now"),
            ),
            rx.button(
                "End it with the period", color_scheme="red", on_click=Plans.cancel("period_end")
            ),
            leave="Keep it",
        ),
        opened=Plans.dialog == "end",
        close=Plans.close,
        width="34rem",
    )


def _form(on_submit: EventType[()], doing: str, *fields: rx.Component) -> rx.Component:
    return rx.form(
        rx.flex(*fields, form_error(Plans.problems["form"]), direction="column", spacing="4"),
        dialog_buttons(rx.button(doing, type="submit")),
        no_validate=True,
        on_submit=on_submit,
        margin_top="var(--space-4)",
    )
