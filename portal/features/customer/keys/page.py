"""A customer's API keys: the list, and the dialogs that make and rotate one."""

from __future__ import annotations

import reflex as rx

from portal.features.customer.forms import EXPIRIES, GRACES
from portal.features.customer.keys.bounds_page import bounds_card, bounds_dialogs
from portal.features.customer.keys.bounds_state import BoundsOfCustomer
from portal.features.customer.keys.state import SCOPES, KeyRow, KeysTab
from portal.kit.blocks import card, dialog_lead, empty, form_error
from portal.kit.dialogs import confirmation, dialog, dialog_buttons
from portal.kit.fields import labeled, select_field, text_field
from portal.kit.icon import icon
from portal.kit.tables import actions, row_action, wide_table
from portal.kit.tick_box import tick_box
from portal.kit.vars import each, length, pick
from portal.shared.once import shown_once


def keys_tab() -> rx.Component:
    """The tab."""
    return rx.fragment(
        card(
            rx.cond(
                length(KeysTab.keys) > 0,
                wide_table(
                    "customer-keys",
                    ("Name", "Application", "Created", "Last used", "Status", "Actions"),
                    each(KeysTab.keys, _row),
                ),
                empty("key-round", "No keys yet", "Make one for the customer, and hand it over."),
            ),
            heading="API keys",
            aside=rx.button(
                icon("plus", size=16), "Create key", on_click=KeysTab.open_create, variant="soft"
            ),
        ),
        bounds_card(),
        _create(),
        _rotate(),
        *bounds_dialogs(),
    )


def _row(key: KeyRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(key.name, weight="medium"),
            rx.code(key.shown, size="1", variant="ghost", color_scheme="gray"),
            rx.text(key.scopes, size="1", color_scheme="gray"),
            rx.cond(key.bounds != "", rx.text(key.bounds, size="1", color_scheme="gray")),
        ),
        rx.table.cell(key.application),
        rx.table.cell(key.created, white_space="nowrap"),
        rx.table.cell(key.used, white_space="nowrap"),
        rx.table.cell(rx.badge(key.state, color_scheme=pick(key.works, "green", "gray"))),
        actions(rx.cond(key.works, _actions(key))),
        vertical_align="middle",
    )


def _actions(key: KeyRow) -> rx.Component:
    return rx.flex(
        row_action(
            "Limits",
            BoundsOfCustomer.open_bounds("key", key.id),
            label="Limits and budget of " + key.name,
        ),
        row_action("Rotate", KeysTab.open_rotate(key.id), label="Rotate " + key.name),
        confirmation(
            rx.button(
                "Revoke", variant="ghost", color_scheme="red", aria_label="Revoke " + key.name
            ),
            "Revoke " + key.name + "?",
            "Calls with this key are refused within a second. This can’t be undone.",
            rx.button("Revoke the key", color_scheme="red", on_click=KeysTab.revoke(key.id)),
        ),
        spacing="4",
        justify="end",
    )


def _create() -> rx.Component:
    return dialog(
        pick(KeysTab.secret != "", "The new key", "Create a key"),
        dialog_lead(
            pick(
                KeysTab.secret != "",
                "Copy “" + KeysTab.secret_name + "” now: it can’t be shown again.",
                "For " + KeysTab.customer.name + ". Its audit says that you made it.",
            )
        ),
        rx.cond(
            KeysTab.secret != "",
            shown_once(KeysTab.secret, "Copy the key", called="key-secret"),
            _create_form(),
        ),
        opened=KeysTab.dialog == "key",
        close=KeysTab.close_dialog,
        width="31rem",
    )


def _create_form() -> rx.Component:
    return rx.form(
        rx.flex(
            text_field(
                "Name",
                "name",
                of="new-key",
                problem=KeysTab.problems["name"],
                placeholder="e.g. production web",
                max_length=100,
                auto_focus=True,
            ),
            rx.grid(
                select_field(
                    "Application",
                    "application",
                    KeysTab.applications[0].id,
                    each(
                        KeysTab.applications,
                        lambda choice: rx.select.item(choice.name, value=choice.id),
                    ),
                    of="new-key",
                    problem=KeysTab.problems["application"],
                ),
                select_field(
                    "Expires",
                    "expiry",
                    "never",
                    *[rx.select.item(text, value=days) for days, text in EXPIRIES.items()],
                    of="new-key",
                ),
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
            rx.el.fieldset(
                rx.el.legend(rx.text("Scopes", size="2", weight="medium", margin_bottom="6px")),
                rx.flex(
                    *[
                        labeled(
                            text,
                            tick_box(
                                name=f"scope:{scope.value}",
                                default_checked=scope.value == "inference",
                            ),
                        )
                        for scope, text in SCOPES.items()
                    ],
                    direction="column",
                    spacing="2",
                ),
                border="0",
                padding="0",
                margin="0",
            ),
            form_error(KeysTab.problems["form"]),
            direction="column",
            spacing="4",
        ),
        dialog_buttons(rx.button("Create key", type="submit")),
        on_submit=KeysTab.create,
        margin_top="var(--space-4)",
    )


def _rotate() -> rx.Component:
    return dialog(
        pick(KeysTab.secret != "", "The new secret", "Rotate " + KeysTab.about),
        dialog_lead(
            pick(
                KeysTab.secret != "",
                "Copy it now: it can’t be shown again.",
                "The key keeps its id and its usage, and gets a new secret.",
            )
        ),
        rx.cond(
            KeysTab.secret != "",
            shown_once(KeysTab.secret, "Copy the key", called="rotated-secret"),
            rx.form(
                select_field(
                    "The old secret ends",
                    "grace",
                    "86400",
                    *[rx.select.item(text, value=seconds) for seconds, text in GRACES.items()],
                    of="rotate",
                ),
                form_error(KeysTab.problems["form"], margin_top="var(--space-3)"),
                dialog_buttons(rx.button("Rotate", type="submit")),
                on_submit=KeysTab.rotate,
                margin_top="var(--space-4)",
            ),
        ),
        opened=KeysTab.dialog == "rotate",
        close=KeysTab.close_dialog,
        width="31rem",
    )
