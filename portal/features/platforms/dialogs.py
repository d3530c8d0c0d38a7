"""The dialogs of the platforms page: connect, backfill, skip, and what a platform calls things."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex.event import EventType

from portal.features.platforms.rows import ObjectRow
from portal.features.platforms.state import Platforms
from portal.kit.blocks import dialog_lead, empty, form_error
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import select_field, text_field
from portal.kit.tables import wide_table
from portal.kit.vars import each, length


def platform_dialogs() -> rx.Component:
    """All of them; one is open at a time."""
    return rx.fragment(_connect(), _backfill(), _skip(), _objects())


def _dialog(
    name: str, title: str, lead: rx.Component, *content: rx.Component, width: str = "30rem"
) -> rx.Component:
    return dialog(
        title,
        lead,
        *content,
        opened=Platforms.dialog == name,
        close=Platforms.close_dialog,
        width=width,
    )


def _form(on_submit: EventType[()], doing: str, *fields: rx.Component) -> rx.Component:
    return rx.form(
        rx.flex(*fields, form_error(Platforms.problems["form"]), direction="column", spacing="4"),
        dialog_buttons(rx.button(doing, type="submit")),
        no_validate=True,
        on_submit=on_submit,
        margin_top="var(--space-4)",
    )


def _text(of: str, name: str, label: str, *, note: str = "", **props: Any) -> rx.Component:
    return text_field(label, name, of=of, problem=Platforms.problems[name], note=note, **props)


def _connect() -> rx.Component:
    return _dialog(
        "connect",
        "Connect a customer",
        dialog_lead("From then on the platform collects what the customer owes."),
        _form(
            Platforms.connect,
            "Connect",
            _text("connect", "customer", "Customer", note="Its name, slug or id."),
            select_field(
                "Platform",
                "platform",
                Platforms.preset,
                each(
                    Platforms.usable,
                    lambda platform: rx.select.item(platform.name, value=platform.id),
                ),
                of="connect",
                problem=Platforms.problems["platform"],
            ),
            select_field(
                "Mode",
                "mode",
                "invoices",
                rx.select.item("It collects our finished invoices", value="invoices"),
                rx.select.item("It rates usage itself", value="usage"),
                of="connect",
                problem=Platforms.problems["mode"],
            ),
            _text(
                "connect",
                "starts_at",
                "From",
                note="Now, if no day is chosen. Usage begins where a billing period does.",
                type="date",
            ),
        ),
    )


def _backfill() -> rx.Component:
    return _dialog(
        "backfill",
        "Send earlier invoices",
        dialog_lead("Open invoices of ", Platforms.about, " that the platform does not have."),
        _form(
            Platforms.backfill,
            "Send",
            _text("backfill", "since", "Issued since", type="date"),
        ),
    )


def _skip() -> rx.Component:
    return _dialog(
        "skip",
        "Leave it out",
        dialog_lead(
            Platforms.about, ". What waits for it goes on; the difference is listed as one."
        ),
        _form(Platforms.skip, "Leave out", _text("skip", "reason", "Reason", max_length=500)),
    )


def _objects() -> rx.Component:
    def row(item: ObjectRow) -> rx.Component:
        return rx.table.row(
            rx.table.row_header_cell(item.kind),
            rx.table.cell(rx.code(item.ours, size="1")),
            rx.table.cell(rx.code(item.theirs, size="1")),
            rx.table.cell(item.platform),
        )

    return _dialog(
        "objects",
        "What the platform calls it",
        dialog_lead("The customer, invoices, meters and the like of ", Platforms.about, "."),
        rx.cond(
            length(Platforms.objects) > 0,
            rx.box(
                wide_table(
                    "platform-objects",
                    ("Kind", "Here", "There", "Platform"),
                    each(Platforms.objects, row),
                ),
                max_height="24rem",
                overflow_y="auto",
            ),
            empty("link", "Nothing was sent yet", "It is there once something is."),
        ),
        dialog_buttons(leave="Close"),
        width="44rem",
    )
