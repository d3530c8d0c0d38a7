"""The dialogs of the webhooks page: adding, changing, rotating, replaying, and one delivery."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventType

from backend_client.types.webhooks import CUSTOMER_EVENTS
from portal.features.webhooks.forms import OVERLAPS
from portal.features.webhooks.rows import REPLAYS, AttemptRow
from portal.features.webhooks.state import Webhooks
from portal.kit.blocks import code, dialog_lead, form_error
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import labeled, select_field, text_field
from portal.kit.focus import return_focus
from portal.kit.icon import icon
from portal.kit.tick_box import tick_box
from portal.kit.vars import each, holds
from portal.shared.once import shown_once


def create_dialog() -> rx.Component:
    """The button that adds an endpoint, and its dialog."""
    return rx.dialog.root(
        rx.dialog.trigger(
            rx.button(icon("plus", size=16), "Add an endpoint", disabled=Webhooks.phase != "ready")
        ),
        rx.dialog.content(
            rx.cond(
                Webhooks.secret != "",
                _secret("Your endpoint’s secret"),
                rx.fragment(
                    rx.dialog.title("Add an endpoint"),
                    dialog_lead("Each event is POSTed to it, signed by a secret of its own."),
                    _form(Webhooks.create, "Add the endpoint", *_fields()),
                ),
            ),
            max_width="36rem",
        ),
        open=Webhooks.dialog == "create",
        on_open_change=Webhooks.open_form,
    )


def webhook_dialogs() -> rx.Component:
    """The dialogs that a row opens."""
    return rx.fragment(
        dialog(
            "Edit the endpoint",
            dialog_lead("Its secret stays."),
            _form(Webhooks.save, "Save", *_fields()),
            opened=Webhooks.dialog == "edit",
            close=Webhooks.close,
            width="36rem",
        ),
        rx.dialog.root(
            rx.dialog.content(
                return_focus(),
                rx.cond(Webhooks.secret != "", _secret("The new secret"), _rotation()),
                max_width="32rem",
            ),
            open=Webhooks.dialog == "rotate",
            on_open_change=Webhooks.close,
        ),
        dialog(
            "Replay events",
            dialog_lead("What was not delivered is sent again, under the same ids."),
            _form(
                Webhooks.replay,
                "Send again",
                select_field(
                    "What happened in the last",
                    "hours",
                    "24",
                    *[rx.select.item(text, value=hours) for hours, text in REPLAYS.items()],
                    of="replay",
                ),
                labeled("What was delivered too", tick_box(name="delivered_too", value="yes")),
            ),
            opened=Webhooks.dialog == "replay",
            close=Webhooks.close,
            width="30rem",
        ),
        _delivery(),
    )


def _form(on_submit: EventType[()], doing: str, *fields: rx.Component) -> rx.Component:
    return rx.form(
        rx.flex(*fields, form_error(Webhooks.problems["form"]), direction="column", spacing="4"),
        dialog_buttons(rx.button(doing, type="submit")),
        on_submit=on_submit,
        margin_top="var(--space-4)",
    )


def _fields() -> tuple[rx.Component, ...]:
    return (
        text_field(
            "Address",
            "url",
            of="webhook",
            placeholder="https://example.com/hooks",
            required=True,
            max_length=2000,
            value=Webhooks.edited.url,
            problem=Webhooks.problems["url"],
        ),
        text_field(
            "Description",
            "description",
            of="webhook",
            placeholder="e.g. bookkeeping",
            value=Webhooks.edited.description,
            problem=Webhooks.problems["description"],
        ),
        rx.el.fieldset(
            rx.el.legend(rx.text("Events", size="2", weight="medium", margin_bottom="6px")),
            rx.scroll_area(
                rx.flex(
                    *[
                        labeled(
                            f"{kind.value}: {when}",
                            tick_box(
                                name=f"kind:{kind.value}",
                                default_checked=holds(Webhooks.edited.kinds, kind.value),
                            ),
                        )
                        for kind, when in CUSTOMER_EVENTS.items()
                    ],
                    direction="column",
                    spacing="2",
                    padding_right="var(--space-3)",
                ),
                type="auto",
                max_height="14rem",
            ),
            rx.text(
                "None selected means all, including kinds added later.",
                size="1",
                color_scheme="gray",
                margin_top="6px",
            ),
            rx.box(
                rx.cond(
                    Webhooks.problems["events"] != "",
                    rx.text(Webhooks.problems["events"], size="1", color_scheme="red"),
                ),
                role="alert",
            ),
            border="0",
            padding="0",
            margin="0",
            min_width="0",
        ),
    )


def _rotation() -> rx.Component:
    return rx.fragment(
        rx.dialog.title("Give the endpoint a new secret?"),
        dialog_lead(
            "It is shown once. Through the overlap each event is signed by both secrets, so that "
            "your endpoint can switch. Without an overlap all earlier secrets end at once."
        ),
        _form(
            Webhooks.rotate,
            "Rotate the secret",
            select_field(
                "The old secret signs too for",
                "overlap",
                "86400",
                *[rx.select.item(text, value=seconds) for seconds, text in OVERLAPS.items()],
                of="webhook-rotation",
            ),
        ),
    )


def _secret(title: str) -> rx.Component:
    return rx.fragment(
        rx.dialog.title(title),
        dialog_lead("Copy the secret of ", Webhooks.secret_name, " now: it can’t be shown again."),
        shown_once(Webhooks.secret, "Copy the secret", called="webhook-secret"),
    )


def _delivery() -> rx.Component:
    return dialog(
        rx.code(Webhooks.opened.kind, variant="ghost"),
        dialog_lead(Webhooks.opened.id, " · ", Webhooks.opened.when),
        rx.flex(
            rx.flex(
                rx.badge(Webhooks.opened.state, color_scheme=Webhooks.opened.color),
                rx.text(Webhooks.opened.tries, size="1", color_scheme="gray"),
                spacing="3",
                align="center",
                role="status",
            ),
            rx.cond(
                Webhooks.opened.about != "",
                rx.text(Webhooks.opened.about, size="2", overflow_wrap="anywhere"),
            ),
            rx.box(each(Webhooks.attempts, _attempt), id="attempts"),
            code(Webhooks.event, label="What is sent"),
            form_error(Webhooks.problems["form"]),
            direction="column",
            spacing="4",
            margin_top="var(--space-4)",
        ),
        dialog_buttons(
            rx.cond(
                Webhooks.develops,
                rx.button("Send again", on_click=Webhooks.resend),
            ),
            leave="Close",
        ),
        opened=Webhooks.dialog == "delivery",
        close=Webhooks.close,
        width="44rem",
    )


def _attempt(row: AttemptRow) -> rx.Component:
    return rx.box(
        rx.text(row.title, size="2", weight="medium"),
        rx.text(row.when, size="1", color_scheme="gray"),
        rx.cond(
            row.reason != "",
            rx.text(row.reason, size="1", color_scheme="red", overflow_wrap="anywhere"),
        ),
        rx.cond(
            row.answer != "",
            rx.text("Answer: ", row.answer, size="1", overflow_wrap="anywhere"),
        ),
        margin_bottom="var(--space-2)",
    )
