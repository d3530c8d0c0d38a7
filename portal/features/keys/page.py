"""API keys: the list, the dialog that makes one, and revoking."""

from __future__ import annotations

import reflex as rx

from portal.features.keys.forms import EXPIRIES
from portal.features.keys.rows import SCOPES, KeyRow
from portal.features.keys.state import Keys
from portal.kit.blocks import card, dialog_lead, empty, form_error, loading_rows
from portal.kit.choice import Choice
from portal.kit.copy_button import copy_button
from portal.kit.dialogs import confirmation
from portal.kit.fields import labeled, select_field, text_field
from portal.kit.icon import icon
from portal.kit.tables import actions, wide_table
from portal.kit.vars import as_text, each, length, pick
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Keys,
        content=(
            loaded(
                Keys,
                rx.cond(length(Keys.keys) > 0, _table(), _none()),
                retry=Keys.load,
                skeleton=card(loading_rows()),
            ),
        ),
        lead="Keys authenticate calls to the API. A key is shown in full once, when it is created.",
        actions=rx.cond(Keys.develops, _create()),
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
            ("Name", "Key", "Application", "Created", "Last used", "Status", "Actions"),
            each(Keys.keys, _row),
        ),
        size="1",
        width="100%",
    )


def _row(key: KeyRow) -> rx.Component:
    active = key.status == "active"
    quiet = pick(active, "var(--gray-12)", "var(--gray-10)")
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(key.name, weight="medium", color=quiet),
            rx.text(key.scopes, " · ", key.models, size="1", color_scheme="gray"),
        ),
        rx.table.cell(
            rx.code(key.shown, variant="ghost", color_scheme="gray", white_space="nowrap")
        ),
        rx.table.cell(key.application, color=quiet),
        rx.table.cell(key.created, color=quiet, white_space="nowrap"),
        rx.table.cell(key.last_used, color=quiet, white_space="nowrap"),
        rx.table.cell(
            rx.badge(
                rx.match(key.status, ("active", "Active"), ("revoked", "Revoked"), "Expired"),
                color_scheme=pick(active, "green", "gray"),
            )
        ),
        actions(rx.cond(active & Keys.develops, _revoke(key))),
        vertical_align="middle",
    )


def _revoke(key: KeyRow) -> rx.Component:
    return confirmation(
        rx.button("Revoke", variant="ghost", color_scheme="red", aria_label="Revoke " + key.name),
        "Revoke " + key.name + "?",
        "Calls with this key are refused within a second. This can’t be undone.",
        rx.button("Revoke the key", color_scheme="red", on_click=Keys.revoke(key.id)),
    )


def _create() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.trigger(
            # Its form offers what the page has loaded
            rx.button(icon("plus", size=16), "Create key", disabled=Keys.phase != "ready")
        ),
        rx.dialog.content(
            rx.cond(Keys.secret != "", _secret(), _form()),
            max_width="31rem",
        ),
        open=Keys.creating,
        on_open_change=Keys.open_form,
    )


def _form() -> rx.Component:
    return rx.fragment(
        rx.dialog.title("Create a key"),
        dialog_lead(
            "Grant only what it needs; you can create as many as you like.",
        ),
        rx.form(
            rx.flex(
                text_field(
                    "Name",
                    "name",
                    of="key",
                    placeholder="e.g. production web",
                    required=True,
                    max_length=100,
                    auto_focus=True,
                ),
                rx.grid(
                    select_field(
                        "Application",
                        "application",
                        Keys.applications[0].id,
                        each(
                            Keys.applications,
                            lambda choice: rx.select.item(choice.name, value=choice.id),
                        ),
                        of="key",
                    ),
                    select_field(
                        "Expires",
                        "expiry",
                        "never",
                        *[rx.select.item(text, value=days) for days, text in EXPIRIES.items()],
                        of="key",
                    ),
                    columns="2",
                    spacing="4",
                ),
                _group(
                    "Scopes",
                    *[
                        _checkbox(f"scope:{scope}", text, checked=scope == "inference")
                        for scope, text in SCOPES.items()
                    ],
                ),
                _group(
                    "Models",
                    each(Keys.models, _model),
                    note="None selected means all, including models added later.",
                ),
                form_error(Keys.form_problem),
                rx.flex(
                    rx.dialog.close(
                        rx.button("Cancel", type="button", variant="soft", color_scheme="gray")
                    ),
                    rx.button("Create key", type="submit"),
                    spacing="3",
                    justify="end",
                ),
                direction="column",
                spacing="4",
                margin_top="var(--space-4)",
            ),
            on_submit=Keys.create,
        ),
    )


def _secret() -> rx.Component:
    return rx.fragment(
        rx.dialog.title("Your new key"),
        dialog_lead(
            "Copy “",
            Keys.secret_name,
            "” now: it can’t be shown again.",
        ),
        rx.flex(
            rx.el.code(
                Keys.secret,
                id="key-secret",
                class_name="fb-code",
                tab_index=0,
                style={"whiteSpace": "normal", "overflowWrap": "anywhere"},
            ),
            rx.flex(
                copy_button(text=Keys.secret, label="Copy the key", variant="solid", size="2"),
                rx.dialog.close(rx.button("Done", variant="soft", color_scheme="gray")),
                spacing="3",
                justify="end",
            ),
            direction="column",
            spacing="4",
            margin_top="var(--space-4)",
        ),
    )


def _group(label: str, *content: rx.Component, note: str = "") -> rx.Component:
    return rx.el.fieldset(
        rx.el.legend(rx.text(label, size="2", weight="medium", margin_bottom="6px")),
        rx.flex(*content, direction="column", spacing="2"),
        rx.text(note, size="1", color_scheme="gray", margin_top="6px") if note else rx.fragment(),
        border="0",
        padding="0",
        margin="0",
    )


def _checkbox(name: str, text: str, *, checked: bool = False) -> rx.Component:
    return labeled(text, rx.checkbox(name=name, default_checked=checked))


def _model(model: Choice) -> rx.Component:
    return labeled(
        model.name, rx.checkbox(name="model:" + as_text(model.id), default_checked=False)
    )
