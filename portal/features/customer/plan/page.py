"""A customer's plan, own prices, coupons and contracts, and the dialogs that change them."""

from __future__ import annotations

from typing import Any

import reflex as rx

from portal.features.customer.forms import REST
from portal.features.customer.plan.rows import AgreementRow, ChargeRow
from portal.features.customer.plan.state import ENDS, PlanTab
from portal.kit.blocks import card, dialog_lead, empty, facts, form_error
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import select_field, text_field
from portal.kit.tables import wide_table
from portal.kit.vars import each, length, pick

AT_NOTE = "A day of the customer’s. Empty: the next quarter hour."


def plan_tab() -> rx.Component:
    """The tab."""
    return rx.flex(
        _plan(),
        rx.cond(length(PlanTab.charges) > 0, _prices()),
        _coupons(),
        rx.cond(length(PlanTab.contracts) > 0, _agreements("Contracts", PlanTab.contracts)),
        _change(),
        _price_dialog(),
        _cancel(),
        _redeem(),
        direction="column",
        spacing="5",
    )


def _plan() -> rx.Component:
    return card(
        rx.cond(
            PlanTab.subscribed,
            facts(PlanTab.plan_facts, id="plan-facts"),
            empty("package-x", "No plan now", "Calls are refused until a plan is chosen."),
        ),
        heading="Plan",
        aside=rx.flex(
            rx.cond(
                PlanTab.subscribed,
                rx.fragment(
                    rx.button(
                        pick(PlanTab.paused, "Resume", "Pause"),
                        on_click=PlanTab.pause_or_resume,
                        variant="soft",
                        color_scheme="gray",
                    ),
                    rx.button(
                        "End",
                        on_click=PlanTab.open_plan_dialog("cancel"),
                        variant="soft",
                        color_scheme="red",
                    ),
                ),
            ),
            rx.button(
                pick(PlanTab.subscribed, "Change plan", "Choose a plan"),
                on_click=PlanTab.open_plan_dialog("plan"),
                variant="soft",
            ),
            spacing="3",
            wrap="wrap",
        ),
    )


def _prices() -> rx.Component:
    return card(
        wide_table(
            "charges",
            ("Charge", "Plan’s price", "Own price"),
            each(PlanTab.charges, _charge),
            long=True,
        ),
        heading="Prices",
        aside=rx.button(
            "Agree prices", on_click=PlanTab.open_plan_dialog("prices"), variant="soft"
        ),
    )


def _charge(charge: ChargeRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(charge.name, weight="medium"),
            rx.text(charge.unit, size="1", color_scheme="gray"),
        ),
        rx.table.cell(rx.text(charge.listed, size="2")),
        rx.table.cell(
            rx.cond(
                charge.own != "",
                rx.badge(charge.own, color_scheme="green", size="2"),
                rx.text("–", color_scheme="gray"),
            )
        ),
        vertical_align="middle",
    )


def _coupons() -> rx.Component:
    return card(
        rx.cond(
            length(PlanTab.coupons) > 0,
            _agreement_table("coupons", PlanTab.coupons),
            rx.text("No coupon is redeemed.", size="2", color_scheme="gray"),
        ),
        heading="Coupons",
        aside=rx.cond(
            length(PlanTab.offered_coupons) > 0,
            rx.button("Redeem", on_click=PlanTab.open_plan_dialog("coupon"), variant="soft"),
        ),
    )


def _agreements(heading: str, rows: list[AgreementRow]) -> rx.Component:
    return card(_agreement_table(heading.lower(), rows), heading=heading)


def _agreement_table(called: str, rows: list[AgreementRow]) -> rx.Component:
    return wide_table(
        called,
        ("Name", "What", "From", "Until"),
        each(
            rows,
            lambda row: rx.table.row(
                rx.table.row_header_cell(row.name),
                rx.table.cell(row.what),
                rx.table.cell(row.start, white_space="nowrap"),
                rx.table.cell(row.end, white_space="nowrap"),
            ),
        ),
    )


def _at(of: str) -> rx.Component:
    return text_field(
        "From", "at", of=of, problem=PlanTab.problems["at"], note=AT_NOTE, type="date"
    )


def _change() -> rx.Component:
    return dialog(
        "Change the plan",
        dialog_lead("What was used until then keeps its price."),
        rx.form(
            rx.flex(
                select_field(
                    "Plan",
                    "plan",
                    PlanTab.plan_id,
                    each(PlanTab.plans, lambda plan: rx.select.item(plan.name, value=plan.id)),
                    of="change",
                    problem=PlanTab.problems["plan"],
                    long=True,
                ),
                rx.grid(
                    text_field(
                        "Seats",
                        "seats",
                        of="change",
                        problem=PlanTab.problems["seats"],
                        value=PlanTab.seats,
                        version=PlanTab.read,
                        input_mode="numeric",
                    ),
                    _at("change"),
                    columns=rx.breakpoints(initial="1", xs="2"),
                    spacing="4",
                ),
                form_error(PlanTab.problems["form"]),
                direction="column",
                spacing="4",
            ),
            dialog_buttons(rx.button("Change the plan", type="submit")),
            on_submit=PlanTab.change,
            margin_top="var(--space-4)",
        ),
        opened=PlanTab.dialog == "plan",
        close=PlanTab.close_dialog,
        width="31rem",
    )


def _price_dialog() -> rx.Component:
    return dialog(
        "Agree prices",
        dialog_lead(
            "In ",
            PlanTab.customer.currency,
            ", for this customer alone. A field left empty has the plan’s price.",
        ),
        rx.form(
            rx.flex(
                each(PlanTab.charges, _price_field),
                _at("prices"),
                form_error(PlanTab.problems["prices"]),
                form_error(PlanTab.problems["form"]),
                direction="column",
                spacing="4",
            ),
            dialog_buttons(rx.button("Agree these prices", type="submit")),
            on_submit=PlanTab.set_prices,
            margin_top="var(--space-4)",
        ),
        opened=PlanTab.dialog == "prices",
        close=PlanTab.close_dialog,
        width="36rem",
    )


def _price_field(charge: ChargeRow) -> rx.Component:
    """A field for a charge; its label names it, the plan's price stands under it."""
    called = "own-" + charge.field
    shared: dict[str, Any] = {"name": charge.field, "id": called, "default_value": charge.written}
    return rx.box(
        rx.el.label(
            rx.text(charge.name, size="2", weight="medium", margin_bottom="4px"), html_for=called
        ),
        rx.cond(
            charge.tiered,
            rx.text_area(rows="3", placeholder=f"1000000 1.20\n{REST} 1.00", **shared),
            rx.input(input_mode="decimal", max_length=40, auto_complete="off", **shared),
        ),
        rx.text(
            "Plan: ",
            charge.listed,
            ", ",
            charge.unit,
            pick(
                charge.tiered,
                f". A limit and a price in each line, the last with {REST}.",
                "",
            ),
            size="1",
            color_scheme="gray",
            margin_top="4px",
        ),
    )


def _cancel() -> rx.Component:
    return dialog(
        "End the subscription?",
        dialog_lead("Calls are refused afterwards. Choosing a plan takes it back."),
        rx.form(
            rx.radio_group.root(
                rx.flex(
                    *[rx.radio_group.item(text, value=when) for when, text in ENDS.items()],
                    direction="column",
                    spacing="2",
                ),
                name="when",
                default_value="period_end",
                aria_label="When it ends",
            ),
            form_error(PlanTab.problems["form"], margin_top="var(--space-3)"),
            dialog_buttons(rx.button("End it", type="submit", color_scheme="red")),
            on_submit=PlanTab.end,
            margin_top="var(--space-4)",
        ),
        opened=PlanTab.dialog == "cancel",
        close=PlanTab.close_dialog,
        width="28rem",
    )


def _redeem() -> rx.Component:
    return dialog(
        "Redeem a coupon",
        dialog_lead("From the present period on. A coupon is redeemed once by a customer."),
        rx.form(
            rx.cond(
                length(PlanTab.offered_coupons) > 0,
                select_field(
                    "Coupon",
                    "coupon",
                    PlanTab.offered_coupons[0].id,
                    each(
                        PlanTab.offered_coupons,
                        lambda coupon: rx.select.item(coupon.name, value=coupon.id),
                    ),
                    of="redeem",
                    problem=PlanTab.problems["coupon"],
                    long=True,
                ),
            ),
            form_error(PlanTab.problems["form"], margin_top="var(--space-3)"),
            dialog_buttons(rx.button("Redeem", type="submit")),
            on_submit=PlanTab.redeem,
            margin_top="var(--space-4)",
        ),
        opened=PlanTab.dialog == "coupon",
        close=PlanTab.close_dialog,
        width="28rem",
    )
