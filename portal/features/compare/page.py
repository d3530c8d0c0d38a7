"""Compare plans: the workload on one side, what it costs on each plan on the other."""

from __future__ import annotations

import reflex as rx

from portal.features.compare.chart import HEIGHT
from portal.features.compare.form import form
from portal.features.compare.rows import PlanColumn
from portal.features.compare.state import Compare, PlanLine
from portal.kit.blocks import card, empty
from portal.kit.copy_button import copy_button
from portal.kit.icon import icon
from portal.kit.plain import csv_button, file_button
from portal.kit.tables import remark
from portal.kit.vars import each, length, pick
from portal.kit.vega_chart import vega_chart
from portal.shared.charges.rows import LineRow
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Compare,
        content=(
            loaded(
                Compare,
                rx.box(
                    rx.box(form(), class_name="fb-compare-form"),
                    rx.flex(_plans(), _curve(), direction="column", spacing="5", min_width="0"),
                    class_name=pick(Compare.full_screen, "fb-compare fb-full-screen", "fb-compare"),
                ),
            ),
        ),
        query=Compare.query,
        lead="What your usage would cost on each plan on sale. Nothing is changed by looking.",
        actions=rx.flex(
            copy_button(
                text=Compare.link, label="Copy link", variant="soft", size="2", color="gray"
            ),
            csv_button(Compare.csv),
            file_button("PDF", Compare.pdf),
            full_screen_button("Full screen", "maximize-2"),
            spacing="3",
            wrap="wrap",
        ),
    )


def full_screen_button(text: str, symbol: str) -> rx.Component:
    """Shows the comparison alone, for a screen that others look at, and back."""
    return rx.button(
        icon(symbol, size=16),
        text,
        on_click=Compare.switch_full_screen,
        variant="soft",
        color_scheme="gray",
    )


def _plans() -> rx.Component:
    return rx.box(
        rx.cond(
            Compare.full_screen,
            rx.flex(
                rx.heading("Compare plans", as_="h2", size="6", weight="medium"),
                full_screen_button("Leave full screen", "minimize-2"),
                justify="between",
                align="center",
                margin_bottom="var(--space-4)",
            ),
        ),
        rx.cond(
            Compare.phase == "loading",
            rx.grid(
                *[rx.skeleton(height="280px", width="100%") for _ in range(3)],
                columns=rx.breakpoints(initial="1", sm="3"),
                spacing="4",
                aria_hidden="true",
            ),
            rx.cond(
                Compare.nobody_chats,
                empty(
                    "columns-3",
                    "No model answers any chat",
                    "Give at least one model a part of the chats.",
                ),
                rx.cond(
                    length(Compare.columns) > 0,
                    rx.box(
                        each(Compare.columns, _column),
                        class_name="fb-plans",
                        aria_busy=Compare.busy,
                    ),
                    empty(
                        "columns-3",
                        "There is no plan to compare",
                        "No plan in your currency is on sale.",
                    ),
                ),
            ),
        ),
        rx.cond(
            Compare.other_currency != "",
            remark("In other currencies, and so not compared: ", Compare.other_currency),
        ),
        min_width="0",
    )


def _column(plan: PlanColumn) -> rx.Component:
    return rx.card(
        rx.flex(
            rx.heading(plan.name, as_="h2", size="3", weight="medium"),
            rx.text(plan.version, size="1", color_scheme="gray"),
            rx.cond(plan.cheapest, rx.badge("Cheapest", color_scheme="green")),
            rx.cond(plan.fits, rx.fragment(), rx.badge("Does not fit", color_scheme="orange")),
            spacing="2",
            align="center",
            wrap="wrap",
        ),
        rx.text(
            plan.to_pay,
            size="7",
            weight="medium",
            letter_spacing="-0.02em",
            margin_top="var(--space-2)",
            color=pick(plan.fits, "inherit", "var(--gray-a11)"),
        ),
        rx.flex(
            rx.text(plan.each, size="2", color_scheme="gray"),
            rx.text(plan.dearer, size="2", color_scheme="gray"),
            justify="between",
            wrap="wrap",
            spacing="2",
        ),
        rx.cond(
            plan.note != "",
            rx.text(
                plan.note,
                size="1",
                color_scheme=pick(plan.fits, "gray", "orange"),
                margin_top="var(--space-1)",
            ),
        ),
        rx.text(plan.lines_of, size="1", color_scheme="gray", class_name="fb-bill-of"),
        rx.el.dl(
            each(plan.lines, _line),
            rx.el.div(
                rx.el.dt(rx.text("Total", size="2", weight="medium")),
                rx.el.dd(rx.text(plan.total, size="2", weight="medium")),
                class_name="fb-sum",
            ),
            class_name="fb-bill",
        ),
        rx.cond(
            length(plan.limits) > 0,
            rx.el.ul(
                each(plan.limits, lambda limit: rx.el.li(rx.text(limit, size="1"))),
                class_name="fb-points",
                aria_label="Limits of " + plan.name,
            ),
        ),
        size="2",
        custom_attrs={"data-plan": plan.id},
    )


def _line(line: LineRow) -> rx.Component:
    return rx.el.div(
        rx.el.dt(
            rx.text(line.name, size="2"),
            rx.text(
                line.bought,
                size="1",
                color_scheme="gray",
            ),
            rx.cond(
                line.included != "",
                rx.text(line.included, " included", size="1", color_scheme="gray"),
            ),
            rx.text(line.detail, size="1", color_scheme="gray"),
        ),
        rx.el.dd(rx.text(line.amount, size="2")),
    )


def _curve() -> rx.Component:
    return rx.cond(
        length(Compare.rows) > 0,
        card(
            vega_chart(
                spec=Compare.spec,
                rows=Compare.rows,
                description=(
                    "Each plan's monthly bill from a tenth of the chats to ten times as many. "
                    "The sentences below say where another plan becomes the cheapest."
                ),
                height=HEIGHT,
            ),
            rx.cond(
                length(Compare.crossings) > 0,
                rx.el.ul(
                    each(
                        Compare.crossings,
                        lambda sentence: rx.el.li(rx.text(sentence, size="2")),
                    ),
                    class_name="fb-points",
                    id="crossovers",
                ),
                rx.text(
                    "The same plan is the cheapest at every volume here.",
                    size="2",
                    color_scheme="gray",
                    margin_top="var(--space-3)",
                ),
            ),
            heading="Cost by volume",
            aside=rx.flex(each(Compare.legend, _entry), spacing="4", wrap="wrap"),
        ),
    )


def _entry(plan: PlanLine) -> rx.Component:
    return rx.flex(
        rx.box(class_name="fb-swatch", background=plan.color),
        rx.text(plan.name, size="1", color_scheme="gray"),
        align="center",
        spacing="2",
    )
