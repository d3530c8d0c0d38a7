"""The dialogs of the keys page: making, changing and rotating a key, and its new secret."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventType

from portal.features.keys.forms import EXPIRIES, KEEP_EXPIRY, OVERLAPS
from portal.features.keys.owner_field import owner_field
from portal.features.keys.rows import SCOPES
from portal.features.keys.state import Keys
from portal.kit.blocks import dialog_lead, form_error
from portal.kit.choice import Choice
from portal.kit.copy_button import copy_button
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import labeled, select_field, text_field
from portal.kit.focus import return_focus
from portal.kit.icon import icon
from portal.kit.tick_box import tick_box
from portal.kit.vars import as_text, each, holds, pick
from portal.shared.bounds.fields import budget_fields, limit_fields

_TWO = rx.breakpoints(initial="1", xs="2")


def create_dialog() -> rx.Component:
    """The button that makes a key, and its dialog."""
    return rx.dialog.root(
        rx.dialog.trigger(
            # Its form offers what the page has loaded
            rx.button(icon("plus", size=16), "Create key", disabled=Keys.phase != "ready")
        ),
        rx.dialog.content(
            rx.cond(Keys.secret != "", _secret("Your new key"), _create_form()),
            max_width="34rem",
        ),
        open=Keys.dialog == "create",
        on_open_change=Keys.open_form,
    )


def key_dialogs() -> rx.Component:
    """The dialogs that a key's row opens."""
    return rx.fragment(
        dialog(
            "Edit the key",
            dialog_lead("Changes hold within a second; its secret stays."),
            _form(
                Keys.save,
                "Save",
                _name(),
                select_field(
                    "Expires",
                    "expiry",
                    KEEP_EXPIRY,
                    rx.select.item(
                        pick(
                            Keys.edited.expires != "",
                            "As it is: " + Keys.edited.expires,
                            "As it is: never",
                        ),
                        value=KEEP_EXPIRY,
                    ),
                    *[rx.select.item(text, value=days) for days, text in EXPIRIES.items()],
                    of="key",
                ),
                *_permissions(),
                owner_field(),
            ),
            opened=Keys.dialog == "edit",
            close=Keys.close,
            width="34rem",
        ),
        rx.dialog.root(
            rx.dialog.content(
                return_focus(),
                rx.cond(Keys.secret != "", _secret("The new secret"), _rotation_form()),
                max_width="31rem",
            ),
            open=Keys.dialog == "rotate",
            on_open_change=Keys.close,
        ),
    )


def _create_form() -> rx.Component:
    return rx.fragment(
        rx.dialog.title("Create a key"),
        dialog_lead("Grant only what it needs; you can create as many as you like."),
        _form(
            Keys.create,
            "Create key",
            _name(auto_focus=True),
            rx.grid(
                select_field(
                    "Application",
                    "application",
                    Keys.edited.application,
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
                columns=_TWO,
                spacing="4",
            ),
            *_permissions(),
            owner_field(),
        ),
    )


def _rotation_form() -> rx.Component:
    return rx.fragment(
        rx.dialog.title("Give “", Keys.edited.name, "” a new secret?"),
        dialog_lead(
            "It is shown once. Choose how long the old secret goes on working, so that every user "
            "of the key can switch. Without an overlap all earlier secrets end at once."
        ),
        _form(
            Keys.rotate,
            "Rotate the key",
            select_field(
                "The old secret works for",
                "overlap",
                "86400",
                *[rx.select.item(text, value=seconds) for seconds, text in OVERLAPS.items()],
                of="rotation",
            ),
        ),
    )


def _form(on_submit: EventType[()], doing: str, *fields: rx.Component) -> rx.Component:
    return rx.form(
        rx.flex(*fields, form_error(Keys.problems["form"]), direction="column", spacing="4"),
        dialog_buttons(rx.button(doing, type="submit")),
        on_submit=on_submit,
        margin_top="var(--space-4)",
    )


def _name(*, auto_focus: bool = False) -> rx.Component:
    return text_field(
        "Name",
        "name",
        of="key",
        placeholder="e.g. production web",
        required=True,
        max_length=100,
        auto_focus=auto_focus,
        value=Keys.edited.name,
        problem=Keys.problems["name"],
    )


def _permissions() -> tuple[rx.Component, ...]:
    return (
        _group(
            "Permissions",
            *[
                labeled(
                    text,
                    tick_box(
                        name=f"scope:{scope}",
                        default_checked=holds(Keys.edited.scopes, scope.value),
                    ),
                )
                for scope, text in SCOPES.items()
            ],
            problem=Keys.problems["scopes"],
        ),
        _group(
            "Models",
            each(Keys.models, _model),
            note="None selected means all, including models added later.",
        ),
        *limit_fields("key", Keys.edited, Keys.problems),
        budget_fields("key", Keys.edited, Keys.problems),
        _list(
            "addresses",
            "Addresses",
            Keys.edited.addresses,
            "Networks that calls may come from, such as 203.0.113.0/24. Empty means any.",
        ),
        _list(
            "origins",
            "Web pages",
            Keys.edited.origins,
            "Origins of pages whose scripts may call with it, such as https://app.example.com. "
            "Whoever opens such a page can read the key: give it a budget.",
        ),
    )


def _list(name: str, label: str, value: str, note: str) -> rx.Component:
    return text_field(
        label,
        name,
        of="key",
        lines=2,
        max_length=16_000,
        spell_check=False,
        auto_capitalize="off",
        value=value,
        note=note,
        problem=Keys.problems[name],
    )


def _secret(title: str) -> rx.Component:
    return rx.fragment(
        rx.dialog.title(title),
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


def _group(
    label: str, *content: rx.Component, note: str = "", problem: str | None = None
) -> rx.Component:
    return rx.el.fieldset(
        rx.el.legend(rx.text(label, size="2", weight="medium", margin_bottom="6px")),
        rx.flex(*content, direction="column", spacing="2"),
        rx.text(note, size="1", color_scheme="gray", margin_top="6px") if note else rx.fragment(),
        rx.fragment()
        if problem is None
        else rx.box(
            rx.cond(problem != "", rx.text(problem, size="1", color_scheme="red")), role="alert"
        ),
        border="0",
        padding="0",
        margin="0",
    )


def _model(model: Choice) -> rx.Component:
    return labeled(
        model.name,
        tick_box(
            name="model:" + as_text(model.id),
            default_checked=holds(Keys.edited.models, model.id),
        ),
    )
