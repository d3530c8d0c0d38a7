"""Requests: how each call went, and why it was refused."""

from __future__ import annotations

import reflex as rx

from portal import routes
from portal.features.requests.details import call_details
from portal.features.requests.filters import filters
from portal.features.requests.rows import RequestRow
from portal.features.requests.state import Requests
from portal.kit.blocks import button_link, card, empty, loading_rows
from portal.kit.fields import pager
from portal.kit.icon import icon
from portal.kit.plain import csv_button
from portal.kit.tables import actions, moment, row_action, wide_table
from portal.kit.vars import each, length, pick
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Requests,
        content=(
            card(filters(), margin_bottom="var(--space-4)"),
            loaded(Requests, _list(), skeleton=card(loading_rows(8))),
            call_details(),
        ),
        query=Requests.query,
        lead="Every call through the gateway, refused ones too, newest first. A call shows here a "
        "second or two after its end.",
        actions=csv_button(Requests.csv),
    )


def _list() -> rx.Component:
    return card(
        rx.cond(length(Requests.rows) > 0, _table(), _none()),
        pager(Requests.number, Requests.older, Requests.show_newer, Requests.show_older),
        heading=pick(Requests.filtered, "Matching calls", "All calls"),
        aside=rx.button(
            icon("refresh-cw", size=14),
            "Refresh",
            on_click=Requests.refresh,
            variant="ghost",
            color_scheme="gray",
            size="2",
        ),
    )


def _none() -> rx.Component:
    return rx.cond(
        Requests.filtered,
        empty(
            "search-x",
            "Nothing matches",
            "No call matches these filters. Model, code and request id must match exactly.",
            rx.button("Clear the filters", on_click=Requests.clear, variant="soft"),
            id="no-calls",
        ),
        empty(
            "arrow-right-left",
            "No calls yet",
            "Each call of a model shows here with its status, its time and its cost.",
            button_link("Open the playground", routes.PLAYGROUND),
            id="no-calls",
        ),
    )


def _table() -> rx.Component:
    return wide_table(
        "calls",
        ("Began", "Status", "Model", "From", "Took", "Used, or why not", "Cost", "Actions"),
        each(Requests.rows, _row),
        numbers=("Took", "Cost"),
        size="1",
    )


def _row(call: RequestRow) -> rx.Component:
    return rx.table.row(
        moment(call.time, call.day),
        rx.table.row_header_cell(
            rx.flex(
                rx.badge(call.status, color_scheme=call.color),
                rx.text(call.outcome, size="1", color_scheme="gray"),
                spacing="2",
                align="center",
                wrap="wrap",
            )
        ),
        rx.table.cell(
            rx.text(call.model, size="2"),
            rx.cond(call.upstream != "", rx.text(call.upstream, size="1", color_scheme="gray")),
        ),
        rx.table.cell(
            rx.text(call.application, size="2"),
            rx.cond(call.key != "", rx.text(call.key, size="1", color_scheme="gray")),
        ),
        rx.table.cell(
            rx.text(call.duration, size="2", white_space="nowrap"),
            rx.cond(
                call.first_token != "",
                rx.text("first token ", call.first_token, size="1", color_scheme="gray"),
            ),
            class_name="fb-number",
        ),
        rx.table.cell(rx.text(call.note, size="1"), class_name="fb-call-note"),
        rx.table.cell(call.cost, class_name="fb-number", white_space="nowrap"),
        actions(
            row_action(
                "Details",
                Requests.open_call(call.id),
                label="Details of " + call.id,
                size="1",
            )
        ),
        key=call.id,
        vertical_align="middle",
    )
