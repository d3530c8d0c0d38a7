"""Where the person is signed in: the list, and the buttons that end it."""

from __future__ import annotations

import reflex as rx

from portal.features.sessions.rows import SessionRow
from portal.features.sessions.state import Sessions
from portal.kit.blocks import card, loading_rows
from portal.kit.dialogs import confirmation
from portal.kit.tables import actions, wide_table
from portal.kit.vars import each, length
from portal.session.guard import FRESH_SECONDS
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Sessions,
        content=(loaded(Sessions, _table(), skeleton=card(loading_rows(2))),),
        lead="Where you are signed in. End what you don’t recognize: it stops within "
        f"{FRESH_SECONDS:.0f} seconds.",
        actions=rx.cond(length(Sessions.sessions) > 1, _end_others()),
    )


def _table() -> rx.Component:
    return rx.card(
        wide_table(
            "sessions",
            ("Browser", "Address", "Signed in", "Last used", "Actions"),
            each(Sessions.sessions, _row),
        ),
        size="1",
        width="100%",
    )


def _row(session: SessionRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(rx.text(session.device, weight="medium")),
        rx.table.cell(session.address),
        rx.table.cell(session.began, white_space="nowrap"),
        rx.table.cell(session.last_used, white_space="nowrap"),
        actions(
            rx.cond(
                session.is_current, rx.badge("This session", color_scheme="green"), _end(session)
            )
        ),
        vertical_align="middle",
    )


def _end(session: SessionRow) -> rx.Component:
    return confirmation(
        rx.button(
            "End",
            variant="ghost",
            color_scheme="red",
            aria_label="End the session of " + session.device + ", " + session.began,
        ),
        "End this session?",
        "Whoever uses it has to sign in again.",
        rx.button("End the session", color_scheme="red", on_click=Sessions.end(session.id)),
    )


def _end_others() -> rx.Component:
    return confirmation(
        rx.button("Sign out everywhere else", variant="soft", color_scheme="red"),
        "Sign out everywhere else?",
        "All of your sessions but this one end.",
        rx.button("End the others", color_scheme="red", on_click=Sessions.end_others),
    )
