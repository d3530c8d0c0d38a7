"""A model's page: what it is beside what it costs, how it performs, an example to copy."""

from __future__ import annotations

import reflex as rx

from portal.features.model.rows import HourBar
from portal.features.model.state import LANGUAGES, ModelPage
from portal.kit.blocks import card, code, facts, loading_rows
from portal.kit.icon import icon
from portal.kit.tables import table
from portal.kit.vars import each, length, pick
from portal.shared.models.prices import PriceLine, PriceRow
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=ModelPage,
        content=(
            loaded(
                ModelPage,
                _model(),
                skeleton=card(loading_rows(6)),
            ),
        ),
        actions=rx.cond(
            ModelPage.usable,
            rx.button(
                rx.link(
                    icon("message-square-text", size=16, aria_hidden="true"),
                    "Open in playground",
                    href=ModelPage.playground,
                    underline="none",
                ),
                as_child=True,
            ),
        ),
        heading=pick(ModelPage.name == "", "Model", ModelPage.name),
        query=ModelPage.query,
    )


def _model() -> rx.Component:
    return rx.flex(
        rx.flex(
            rx.badge(
                ModelPage.status, color_scheme=pick(ModelPage.usable, "green", "gray"), size="2"
            ),
            rx.text(ModelPage.description, size="2", color_scheme="gray"),
            align="center",
            spacing="3",
            wrap="wrap",
        ),
        rx.grid(
            _prices(),
            rx.flex(_facts(), _performance(), direction="column", spacing="4"),
            columns=rx.breakpoints(initial="1", lg="minmax(0, 1fr) minmax(0, 22rem)"),
            spacing="4",
        ),
        _example(),
        direction="column",
        spacing="4",
    )


def _prices() -> rx.Component:
    return card(
        rx.cond(
            length(ModelPage.prices) > 0,
            table(
                "model-prices",
                ("Meter", "Price"),
                each(ModelPage.prices, _price),
                numbers=("Price",),
                long=True,
                size="1",
            ),
            rx.text(
                "Your plan has no price for this model.",
                size="2",
                color_scheme="gray",
                id="no-prices",
            ),
        ),
        heading="Prices on your plan",
    )


def _price(row: PriceRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(row.meter, size="2"),
            rx.cond(row.note != "", rx.text(row.note, size="1", color_scheme="gray")),
        ),
        rx.table.cell(each(row.lines, _line), class_name="fb-number"),
        vertical_align="top",
    )


def _line(line: PriceLine) -> rx.Component:
    return rx.flex(
        rx.text(line.usage, size="1", color_scheme="gray", as_="span"),
        rx.text(line.price, size="2", as_="span"),
        justify="end",
        align="baseline",
        spacing="3",
    )


def _facts() -> rx.Component:
    return card(
        facts(ModelPage.facts, margin_top="0"),
        rx.cond(
            length(ModelPage.limits) > 0,
            rx.box(
                rx.heading("Limits of your plan", as_="h3", size="2", weight="medium"),
                facts(ModelPage.limits),
                margin_top="var(--space-4)",
            ),
        ),
        heading="About",
    )


def _performance() -> rx.Component:
    return card(
        rx.el.dl(
            _measure("First token", ModelPage.begins_after, ModelPage.begins_detail),
            _measure("Whole answer", ModelPage.total, ModelPage.total_detail),
            _measure("Errors", ModelPage.errors, ""),
            class_name="fb-performance",
        ),
        rx.cond(
            length(ModelPage.bars) > 0,
            rx.box(
                rx.box(
                    each(ModelPage.bars, _bar),
                    class_name="fb-hours",
                    role="img",
                    aria_label=ModelPage.measured,
                ),
                rx.text("Median time of a whole answer, by hour", size="1", color_scheme="gray"),
            ),
        ),
        heading="Last 24 hours",
    )


def _measure(name: str, value: str, detail: str) -> rx.Component:
    return rx.el.div(
        rx.el.dt(rx.text(name, size="2", color_scheme="gray")),
        rx.el.dd(
            rx.text(value, size="2", weight="medium"),
            rx.cond(detail != "", rx.text(detail, size="1", color_scheme="gray")),
        ),
    )


def _bar(bar: HourBar) -> rx.Component:
    return rx.el.span(
        title=bar.text,
        data_look=bar.look,
        style={"height": f"{bar.height}%"},
    )


def _example() -> rx.Component:
    return card(
        code(ModelPage.example, label="Example request"),
        heading="Example request",
        aside=rx.segmented_control.root(
            *[rx.segmented_control.item(language, value=language) for language in LANGUAGES],
            value=ModelPage.language,
            on_change=ModelPage.choose_language,
            size="1",
            aria_label="Language",
        ),
    )
