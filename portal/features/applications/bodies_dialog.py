"""The dialog that says what is kept of an application's calls, and switches it."""

from __future__ import annotations

import reflex as rx

from portal.features.applications.bodies_state import Bodies
from portal.kit.blocks import dialog_lead, form_error, loading_rows
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import labeled, text_field
from portal.kit.tick_box import tick_box
from portal.kit.vars import negated, pick
from portal.shell.loaded import loaded


def bodies_dialog() -> rx.Component:
    """What is kept now, and for who may: a form that changes it."""
    return dialog(
        rx.fragment("What is kept of ", Bodies.application),
        dialog_lead(
            "The request log always shows how each call went. Requests and answers themselves "
            "are kept only if you switch that on here. Owners, admins and developers can read "
            "them; nobody else can, not even the seller. Each change is in the audit log."
        ),
        rx.box(
            loaded(
                Bodies,
                rx.cond(Bodies.decides, _form(), _setting()),
                retry=Bodies.load_again,
                skeleton=loading_rows(2),
            ),
            margin_top="var(--space-4)",
        ),
        opened=Bodies.opened,
        close=Bodies.close,
        width="32rem",
    )


def _setting() -> rx.Component:
    """How it is, for those who can't change it."""
    kept = rx.fragment(
        "What is asked and answered is kept for ",
        Bodies.days,
        " days, ",
        pick(Bodies.redacted, "without", "with"),
        " e-mail addresses, card numbers and keys.",
    )
    return rx.fragment(
        rx.text(
            rx.cond(Bodies.kept, kept, rx.fragment("What is asked and answered is not kept.")),
            size="2",
        ),
        rx.text("Owners and admins decide it.", size="2", color_scheme="gray"),
        dialog_buttons(leave="Close"),
    )


def _form() -> rx.Component:
    return rx.form(
        rx.flex(
            labeled(
                "Keep what is asked and answered",
                rx.switch(checked=Bodies.on, on_change=Bodies.switch),
            ),
            rx.cond(
                Bodies.on,
                rx.flex(
                    text_field(
                        "Days",
                        "days",
                        of="bodies",
                        input_mode="numeric",
                        max_length=3,
                        value=Bodies.days,
                        problem=Bodies.problems["days"],
                        note="Then they are deleted, at the latest with the call itself. A "
                        "shorter time also applies to what is kept already.",
                    ),
                    labeled(
                        "Leave out e-mail addresses, card numbers and keys",
                        tick_box(name="redacted", default_checked=Bodies.redacted),
                    ),
                    rx.text(
                        "They are left out as far as they can be recognized. What is long is "
                        "shortened.",
                        size="1",
                        color_scheme="gray",
                    ),
                    direction="column",
                    spacing="3",
                ),
            ),
            rx.cond(
                Bodies.kept & negated(Bodies.on),
                rx.text(
                    "What was kept is removed at once, and can’t be had back.",
                    size="2",
                    color_scheme="red",
                    role="alert",
                ),
            ),
            form_error(Bodies.problems["form"]),
            direction="column",
            spacing="4",
        ),
        dialog_buttons(
            rx.button(
                pick(Bodies.kept & negated(Bodies.on), "Remove and save", "Save"),
                type="submit",
                color_scheme=pick(Bodies.kept & negated(Bodies.on), "red", "indigo"),
            )
        ),
        no_validate=True,
        on_submit=Bodies.save,
    )
