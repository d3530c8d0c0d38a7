"""A test clock's page: where it stands, the dialog that advances it, and what happened."""

from __future__ import annotations

import reflex as rx

from portal.features.clock.forms import STEPS
from portal.features.clock.rows import HappenedRow
from portal.features.clock.state import ClockPage
from portal.kit.blocks import button_link, card, dialog_lead, empty, form_error, loading_rows
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import choice, field, text_field
from portal.kit.icon import icon
from portal.kit.tables import wide_table
from portal.kit.vars import each, length, pick
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=ClockPage,
        content=(
            loaded(
                ClockPage,
                rx.flex(_clock(), _happened(), direction="column", spacing="5"),
                skeleton=card(loading_rows()),
            ),
            _advance(),
        ),
        lead="Its time stands until you advance it. Nothing that happens by it is sent to anybody.",
        heading=pick(
            ClockPage.customer.name != "", "Test clock: " + ClockPage.customer.name, "Test clock"
        ),
        actions=rx.flex(
            button_link("Open the customer", ClockPage.customer_page),
            rx.button(
                icon("fast-forward", size=16),
                "Advance",
                on_click=ClockPage.open_form,
                disabled=(ClockPage.phase != "ready") | (ClockPage.clock.state == "advancing"),
            ),
            spacing="3",
            wrap="wrap",
        ),
        query=ClockPage.query,
    )


def _clock() -> rx.Component:
    return card(
        rx.flex(
            rx.text(ClockPage.clock.at, size="6", weight="medium", class_name="fb-number"),
            rx.badge(
                ClockPage.clock.words,
                color_scheme=ClockPage.clock.color,
                role="status",
            ),
            align="center",
            spacing="3",
            wrap="wrap",
        ),
        rx.text(
            "In the customer’s time zone, ",
            ClockPage.customer.time_zone,
            ". ",
            rx.cond(
                ClockPage.clock.target != "",
                rx.text.span("On its way to ", ClockPage.clock.target, "."),
                rx.text.span("What was due by then is done."),
            ),
            size="2",
            color_scheme="gray",
            margin_top="var(--space-2)",
        ),
        rx.cond(
            ClockPage.clock.problem != "",
            rx.callout.root(
                rx.callout.icon(icon("circle-alert", size=16)),
                rx.callout.text(
                    "It can’t go on: ",
                    ClockPage.clock.problem,
                    " Mend that, and advance it again.",
                ),
                color_scheme="red",
                role="alert",
                margin_top="var(--space-4)",
            ),
        ),
        heading="It is now",
    )


def _happened() -> rx.Component:
    return card(
        rx.cond(
            length(ClockPage.happened) > 0,
            wide_table(
                "happened",
                ("When", "What", "About"),
                each(ClockPage.happened, _happened_row),
                long=True,
            ),
            empty("history", "Nothing yet", "Advance the clock, and see what comes to pass."),
        ),
        heading="What happened last",
    )


def _happened_row(row: HappenedRow) -> rx.Component:
    return rx.table.row(
        rx.table.cell(row.at, white_space="nowrap"),
        rx.table.row_header_cell(row.what),
        rx.table.cell(row.about),
    )


def _advance() -> rx.Component:
    return dialog(
        "Advance the clock",
        dialog_lead(
            "Each thing that is due on the way happens at its own instant, as it would to a "
            "customer. The clock never goes back."
        ),
        rx.form(
            rx.flex(
                field(
                    "How far",
                    choice(
                        "How far",
                        ClockPage.step,
                        ClockPage.choose_step,
                        *[rx.select.item(words, value=step) for step, words in STEPS.items()],
                    ),
                    html_for="clock-step",
                ),
                rx.cond(
                    ClockPage.step == "to",
                    text_field(
                        "Day and time",
                        "to",
                        of="clock",
                        type="datetime-local",
                        problem=ClockPage.problems["to"],
                        note="In the customer’s time zone, 62 days ahead at most.",
                    ),
                    form_error(ClockPage.problems["to"]),
                ),
                form_error(ClockPage.problems["form"]),
                direction="column",
                spacing="4",
            ),
            dialog_buttons(rx.button("Advance the clock", type="submit")),
            no_validate=True,
            on_submit=ClockPage.advance,
            margin_top="var(--space-4)",
        ),
        opened=ClockPage.opened,
        close=ClockPage.close_form,
        width="28rem",
    )
