"""Spend: the current period by line, its total, and its forecast."""

from __future__ import annotations

import reflex as rx

from portal.features.spend.plan_panel import plan_panel
from portal.features.spend.state import Spend, UnpricedRow
from portal.kit.blocks import card, empty, figure, loading_rows
from portal.kit.tables import table, wide_table
from portal.kit.vars import each, length, pick
from portal.shared.charges.rows import LineRow
from portal.shared.forecast.card import forecast_chart
from portal.shared.forecast.outlook import PlanRow
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Spend,
        content=(
            loaded(
                Spend,
                rx.flex(
                    _figures(),
                    _forecast(),
                    _lines(),
                    rx.cond(
                        Spend.phase != "loading",
                        rx.fragment(_unpriced(), _on_plans(), plan_panel()),
                    ),
                    direction="column",
                    spacing="5",
                ),
            ),
        ),
        lead="What the current period would be billed at if it ended now.",
    )


def _figures() -> rx.Component:
    loading = Spend.phase == "loading"
    return rx.grid(
        figure("Spend so far", Spend.total, Spend.period_name, loading=loading),
        figure(
            "Expected total",
            Spend.expected,
            Spend.band,
            loading=(Spend.expected == "") & (Spend.forecast_problem == ""),
        ),
        columns="2",
        spacing="4",
    )


def _lines() -> rx.Component:
    return card(
        rx.cond(
            Spend.phase == "loading",
            loading_rows(),
            rx.cond(
                length(Spend.lines) > 0,
                _table(),
                empty(
                    "receipt",
                    "No charges yet",
                    "Lines appear here as soon as a call is metered on a plan that prices it.",
                    id="no-spend-lines",
                ),
            ),
        ),
        heading="By line",
        aside=rx.text("Each line is rounded once.", size="1", color_scheme="gray"),
    )


def _table() -> rx.Component:
    numbers = ("Quantity", "Included", "Price", "Exact", "Amount")
    return table(
        "spend-lines",
        ("Charge", "Plan", *numbers),
        each(Spend.lines, _line),
        each(Spend.adjustments, _line),
        rx.table.row(
            rx.table.row_header_cell(rx.text("Total", weight="medium"), col_span=5),
            rx.table.cell(rx.text(Spend.exact_total, color_scheme="gray"), class_name="fb-number"),
            rx.table.cell(
                rx.text(Spend.total, weight="medium", id="spend-total"), class_name="fb-number"
            ),
        ),
        numbers=numbers,
    )


def _line(line: LineRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(line.name, weight="medium"),
            rx.text(line.detail, size="1", color_scheme="gray"),
        ),
        rx.table.cell(line.plan, white_space="nowrap"),
        rx.table.cell(line.quantity, class_name="fb-number"),
        rx.table.cell(line.included, class_name="fb-number"),
        rx.table.cell(line.price, class_name="fb-number"),
        rx.table.cell(rx.text(line.exact, color_scheme="gray"), class_name="fb-number"),
        rx.table.cell(line.amount, class_name="fb-number"),
        vertical_align="middle",
        custom_attrs={"data-line": line.name},
    )


def _unpriced() -> rx.Component:
    return rx.cond(
        length(Spend.unpriced) > 0,
        card(
            rx.text(
                "Your plan has no price for this usage. It is metered, and not billed.",
                size="2",
                color_scheme="gray",
                margin_bottom="var(--space-3)",
            ),
            table(
                "unpriced",
                ("Model", "Meter", "Quantity"),
                each(Spend.unpriced, _unpriced_row),
                numbers=("Quantity",),
                size="1",
            ),
            heading="Not priced",
        ),
    )


def _unpriced_row(used: UnpricedRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(used.model),
        rx.table.cell(used.meter),
        rx.table.cell(used.quantity, class_name="fb-number"),
    )


def _forecast() -> rx.Component:
    return forecast_chart(
        spec=Spend.spec,
        rows=Spend.rows,
        description=Spend.description,
        problem=Spend.forecast_problem,
        note=rx.text(
            Spend.method,
            " ",
            Spend.trust,
            size="1",
            color_scheme="gray",
            margin_top="12px",
            min_height="16px",
        ),
    )


def _on_plans() -> rx.Component:
    return rx.cond(
        length(Spend.on_plans) > 1,
        card(
            wide_table(
                "on-plans",
                ("Plan", "Expected", "80% of outcomes"),
                each(Spend.on_plans, _on_plan),
                numbers=("Expected", "80% of outcomes"),
                long=True,
                size="1",
            ),
            heading="This period on each plan",
            aside=rx.text("The same usage, all of it on that plan.", size="1", color_scheme="gray"),
        ),
    )


def _on_plan(plan: PlanRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.flex(
                rx.text(plan.name, weight="medium"),
                rx.cond(plan.current, rx.badge("Yours", color_scheme="gray")),
                rx.cond(plan.cheapest, rx.badge("Cheapest", color_scheme="green")),
                spacing="2",
                align="center",
                wrap="wrap",
            ),
            rx.cond(plan.note != "", rx.text(plan.note, size="1", color_scheme="gray")),
        ),
        rx.table.cell(
            rx.text(plan.expected, color=pick(plan.fits, "inherit", "var(--gray-a11)")),
            class_name="fb-number",
        ),
        rx.table.cell(rx.text(plan.band, color_scheme="gray"), class_name="fb-number"),
        vertical_align="middle",
    )
