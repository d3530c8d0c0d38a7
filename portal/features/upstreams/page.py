"""Upstreams, for the operator: the list, and what it opens."""

from __future__ import annotations

import reflex as rx

from portal.features.upstreams.details import details_dialog
from portal.features.upstreams.form import upstream_forms
from portal.features.upstreams.rows import UpstreamRow
from portal.features.upstreams.state import Upstreams
from portal.kit.blocks import card, empty, loading_rows
from portal.kit.fields import labeled
from portal.kit.icon import icon
from portal.kit.tables import actions, remark, row_action, wide_table
from portal.kit.vars import each, length, pick
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Upstreams,
        content=(
            loaded(
                Upstreams,
                rx.fragment(_retired_switch(), card(_list())),
                skeleton=card(loading_rows()),
            ),
            details_dialog(),
            upstream_forms(),
        ),
        lead="The model providers that calls go to, and how calls to them went, at all processes.",
        actions=rx.button(
            icon("plus", size=16),
            "Add upstream",
            on_click=Upstreams.ask_add,
            disabled=Upstreams.phase != "ready",
        ),
        query=Upstreams.query,
    )


def _retired_switch() -> rx.Component:
    return rx.cond(
        Upstreams.retired_count > 0,
        labeled(
            "Show retired",
            rx.switch(checked=Upstreams.with_retired, on_change=Upstreams.show_retired, size="1"),
            color_scheme="gray",
            margin_bottom="var(--space-3)",
            display="block",
        ),
    )


def _list() -> rx.Component:
    headings = (
        *("Upstream", "Models", "Order", "Health", "Failed", "First token", "Calls now"),
        *("Last failure", "Actions"),
    )
    return rx.cond(
        length(Upstreams.shown) > 0,
        rx.fragment(
            wide_table(
                "upstreams",
                headings,
                each(Upstreams.shown, _row),
                numbers=("Failed", "First token", "Calls now"),
            ),
            remark(
                "Failed attempts and times to the first token are of the last hour. What a caller "
                "did wrong is no failure."
            ),
        ),
        empty(
            "server",
            "No upstream takes calls",
            "Add a model provider: its address, a key, and the models that it serves.",
            id="no-upstreams",
        ),
    )


def _row(row: UpstreamRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.flex(
                rx.text(row.name, weight="medium"),
                rx.cond(row.own, rx.fragment(), rx.badge("In the settings", color_scheme="gray")),
                spacing="2",
                align="center",
                wrap="wrap",
            ),
            rx.text(row.kind, size="1", color_scheme="gray"),
            rx.text(row.address, size="1", color_scheme="gray", overflow_wrap="anywhere"),
            min_width="13rem",
            max_width="20rem",
            overflow_wrap="anywhere",
        ),
        rx.table.cell(rx.text(row.models, size="2"), max_width="14rem", overflow_wrap="anywhere"),
        rx.table.cell(rx.text(row.order, size="2")),
        rx.table.cell(
            rx.badge(row.state, color_scheme=row.color),
            rx.cond(row.note != "", rx.text(row.note, size="1", color_scheme="gray")),
        ),
        rx.table.cell(row.errors, class_name="fb-number"),
        rx.table.cell(row.first_token, class_name="fb-number"),
        rx.table.cell(row.under_way, class_name="fb-number"),
        rx.table.cell(pick(row.last_failure != "", row.last_failure, "–"), white_space="nowrap"),
        actions(
            row_action("Details", Upstreams.open(row.name), label="Details of " + row.name),
        ),
        key=row.name,
        vertical_align="middle",
    )
