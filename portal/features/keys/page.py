"""API keys: the list, and what can be done with each."""

from __future__ import annotations

from typing import Any, cast

import reflex as rx

from portal.features.keys.dialogs import create_dialog, key_dialogs
from portal.features.keys.rows import KeyRow
from portal.features.keys.state import Keys
from portal.kit.blocks import card, empty, loading_rows
from portal.kit.dialogs import confirmation
from portal.kit.fields import choice
from portal.kit.icon import icon
from portal.kit.tables import row_action, wide_table
from portal.kit.vars import as_text, each, length, pick
from portal.shared.bounds.bar import budget_bar
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Keys,
        content=(
            loaded(
                Keys,
                rx.cond(
                    (length(Keys.keys) > 0)
                    | (Keys.search != "")
                    | (Keys.application != "")
                    | (Keys.owner != ""),
                    rx.fragment(_search(), rx.cond(length(Keys.keys) > 0, _table(), _no_match())),
                    _none(),
                ),
                skeleton=card(loading_rows()),
            ),
            key_dialogs(),
        ),
        lead="Keys authenticate calls to the API. A key is shown in full once, when it is created.",
        actions=rx.cond(Keys.develops, create_dialog()),
        query=Keys.query,
    )


def _search() -> rx.Component:
    return rx.flex(
        _search_field(),
        choice(
            "Whose keys",
            pick(Keys.owner != "", Keys.owner, "all"),
            Keys.show_owner,
            rx.select.item("All keys", value="all"),
            rx.select.item("People’s keys", value="person"),
            rx.select.item("Service accounts", value="service"),
            width="12rem",
        ),
        rx.cond(
            Keys.application != "",
            rx.button(
                "Application: ",
                Keys.application_name,
                icon("x", size=14),
                on_click=Keys.clear,
                variant="soft",
                color_scheme="gray",
                aria_label="Application: " + Keys.application_name + ", show all keys",
                max_width="100%",
            ),
        ),
        spacing="3",
        wrap="wrap",
        margin_bottom="var(--space-4)",
    )


def _search_field() -> rx.Component:
    return rx.input(
        rx.input.slot(icon("search", size=16)),
        default_value=Keys.search,
        key=as_text(Keys.cleared),
        on_change=cast(Any, Keys.find).debounce(250),
        placeholder="Search keys",
        aria_label="Search keys",
        max_length=200,
        width="18rem",
        max_width="100%",
        id="search-keys",
    )


def _no_match() -> rx.Component:
    return empty(
        "search-x",
        "No matching keys",
        "No key is of this, or has it in its name, or as its id or last four letters.",
        rx.button("Show all", on_click=Keys.clear, variant="soft"),
    )


def _none() -> rx.Component:
    return card(
        empty(
            "key-round",
            "No keys yet",
            "Create one to call the API from your own code. Each key belongs to an application and "
            "can be limited to some models.",
        )
    )


def _table() -> rx.Component:
    return rx.card(
        wide_table(
            "keys",
            ("Name", "Status", "Budget", "Key", "Last used"),
            each(Keys.keys, _row),
        ),
        size="1",
        width="100%",
    )


def _row(key: KeyRow) -> rx.Component:
    quiet = pick(key.is_open, "var(--gray-12)", "var(--gray-10)")
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(key.name, weight="medium", color=quiet),
            rx.text(
                key.application,
                " · ",
                key.scopes,
                " · ",
                key.models,
                size="1",
                color_scheme="gray",
            ),
            rx.cond(key.limits != "", rx.text(key.limits, size="1", color_scheme="gray")),
            rx.cond(
                key.sources != "",
                rx.text(key.sources, size="1", color_scheme="gray", overflow_wrap="anywhere"),
            ),
            rx.cond(
                key.service_account,
                rx.badge("Service account", color_scheme="blue", margin_top="4px"),
                rx.cond(key.owner != "", rx.text("Of ", key.owner, size="1", color_scheme="gray")),
            ),
            # Here, where a narrow screen shows them without scrolling
            rx.cond(key.is_open & Keys.develops, _actions(key)),
            min_width="15rem",
        ),
        rx.table.cell(_status(key)),
        rx.table.cell(_budget(key)),
        rx.table.cell(
            rx.code(key.shown, variant="ghost", color_scheme="gray", white_space="nowrap"),
            _when("Created ", key.created),
            rx.cond(key.expires != "", _when("Expires ", key.expires)),
        ),
        rx.table.cell(key.last_used, color=quiet, white_space="nowrap"),
        vertical_align="top",
    )


def _when(what: str, day: str) -> rx.Component:
    return rx.text(what, day, size="1", color_scheme="gray", white_space="nowrap")


def _budget(key: KeyRow) -> rx.Component:
    return rx.cond(
        key.budget != "",
        budget_bar(key.budget, key.budget_part, key.budget_over, key.name),
        rx.text("None", size="2", color_scheme="gray"),
    )


def _status(key: KeyRow) -> rx.Component:
    return rx.box(
        rx.badge(
            rx.match(
                key.status,
                ("active", "Active"),
                ("disabled", "Disabled"),
                ("revoked", "Revoked"),
                "Expired",
            ),
            color_scheme=pick(
                key.status == "active", "green", pick(key.status == "disabled", "amber", "gray")
            ),
        ),
        rx.cond(
            key.grace != "",
            rx.box(
                rx.text(key.grace, size="1", color_scheme="gray", margin_top="4px"),
                rx.cond(Keys.develops, _end_grace(key)),
                min_width="13rem",
            ),
        ),
    )


def _actions(key: KeyRow) -> rx.Component:
    return rx.flex(
        row_action("Edit", Keys.edit(key.id), label="Edit " + key.name),
        row_action("Rotate", Keys.ask_rotation(key.id, key.name), label="Rotate " + key.name),
        rx.cond(
            key.status == "disabled",
            row_action("Enable", Keys.enable(key.id, True), label="Enable " + key.name),
            _disable(key),
        ),
        _revoke(key),
        spacing="4",
        margin_top="var(--space-2)",
    )


def _end_grace(key: KeyRow) -> rx.Component:
    return confirmation(
        rx.button(
            "End it now",
            variant="ghost",
            size="1",
            aria_label="End the old secrets of " + key.name,
        ),
        "End the old secrets of " + key.name + "?",
        "Calls with them are refused within a second. The present secret goes on.",
        rx.button("End them now", color_scheme="red", on_click=Keys.end_grace(key.id)),
    )


def _disable(key: KeyRow) -> rx.Component:
    return confirmation(
        rx.button("Disable", variant="ghost", aria_label="Disable " + key.name),
        "Disable " + key.name + "?",
        "Calls with this key are refused within a second, until you enable it again.",
        rx.button("Disable the key", on_click=Keys.enable(key.id, False)),
    )


def _revoke(key: KeyRow) -> rx.Component:
    return confirmation(
        rx.button("Revoke", variant="ghost", color_scheme="red", aria_label="Revoke " + key.name),
        "Revoke " + key.name + "?",
        "Calls with this key are refused within a second. This can’t be undone.",
        rx.button("Revoke the key", color_scheme="red", on_click=Keys.revoke(key.id)),
    )
