"""Small things that pages share: cards, figures, empty and failed states, code to copy."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex.event import EventType

from portal.kit.copy_button import copy_button
from portal.kit.facts import FactRow
from portal.kit.focus import focus_here
from portal.kit.icon import icon
from portal.kit.vars import each, is_given, pick


def card(
    *content: rx.Component,
    heading: str = "",
    aside: rx.Component | None = None,
    **props: Any,
) -> rx.Component:
    """A panel with a heading of its own."""
    top = (
        rx.flex(
            rx.heading(heading, as_="h2", size="3", weight="medium"),
            aside or rx.fragment(),
            justify="between",
            align="center",
            spacing="3",
            wrap="wrap",
            margin_bottom="var(--space-4)",
        )
        if is_given(heading)
        else rx.fragment()
    )
    return rx.card(top, *content, size="3", width="100%", **props)


def figure(
    label: str,
    value: str,
    note: str | rx.Component,
    *,
    loading: bool,
) -> rx.Component:
    """One number with its name and what it means."""
    return rx.card(
        rx.text(label, size="2", color_scheme="gray"),
        rx.skeleton(
            rx.text(
                pick(value == "", "–", value),
                size="7",
                weight="medium",
                letter_spacing="-0.02em",
                margin_top="4px",
            ),
            loading=loading,
        ),
        rx.box(
            rx.skeleton(
                note
                if isinstance(note, rx.Component)
                else rx.text(note, size="2", color_scheme="gray"),
                loading=loading,
            ),
            margin_top="6px",
            min_height="20px",
        ),
        size="3",
    )


def failed(problem: str, retry: EventType[()]) -> rx.Component:
    """What stands in place of content that could not be loaded."""
    return rx.callout.root(
        rx.callout.icon(icon("cloud-off", size=18)),
        rx.flex(
            rx.box(
                rx.text("This could not be loaded.", weight="medium"),
                rx.text(problem, size="2"),
            ),
            rx.button("Try again", on_click=retry, variant="outline", color_scheme="red"),
            justify="between",
            align="center",
            spacing="4",
            wrap="wrap",
            width="100%",
        ),
        color_scheme="red",
        role="alert",
    )


def stale(problem: str, phase: str) -> rx.Component:
    """A line above content that can't be brought up to date, or an action that failed."""
    return rx.cond(
        (problem != "") & (phase == "ready"),
        rx.callout.root(
            rx.callout.icon(icon("triangle-alert", size=16)),
            rx.callout.text(problem),
            color_scheme="orange",
            size="1",
            margin_bottom="var(--space-4)",
            role="status",
        ),
    )


def empty(
    symbol: str, heading: str, text: str, *actions: rx.Component, **props: Any
) -> rx.Component:
    """What stands where there is nothing yet, and how to get something."""
    return rx.flex(
        icon(symbol, size=28, color="var(--gray-9)", aria_hidden="true"),
        rx.text(heading, weight="medium", size="3"),
        rx.text(text, color_scheme="gray", size="2", align="center", max_width="28rem"),
        rx.flex(
            *actions,
            spacing="3",
            wrap="wrap",
            justify="center",
            margin_top="var(--space-2)",
            max_width="100%",
        )
        if actions
        else rx.fragment(),
        direction="column",
        align="center",
        justify="center",
        spacing="2",
        padding="var(--space-7) var(--space-4)",
        **props,
    )


def button_link(text: str, href: str) -> rx.Component:
    """A way to another page that looks like a button."""
    return rx.button(rx.link(text, href=href, underline="none"), as_child=True, variant="soft")


def code(text: str, *, label: str) -> rx.Component:
    """Code with a button that copies it. Scrolls by keyboard too."""
    return rx.box(
        rx.el.pre(
            text,
            class_name="fb-code",
            tab_index=0,
            aria_label=label,
            # The end of a line shows beside the button, not under it
            style={"paddingRight": "5rem"},
        ),
        rx.box(
            copy_button(text=text, variant="soft", size="1", color="gray"),
            position="absolute",
            top="8px",
            right="8px",
            # What scrolls below it does not shine through
            background="var(--gray-2)",
            border_radius="var(--radius-2)",
        ),
        position="relative",
        max_width="100%",
        min_width="0",
    )


def dialog_lead(*text: str) -> rx.Component:
    """What a dialog is for, under its title; read out when it opens."""
    return rx.dialog.description(*text, class_name="fb-dialog-lead")


def success(what: str, **props: Any) -> rx.Component:
    """What was just done, read out; it takes the focus where what was pressed is gone."""
    return rx.box(
        rx.cond(
            what != "",
            focus_here(
                rx.callout.root(
                    rx.callout.icon(icon("circle-check", size=16)),
                    rx.callout.text(what),
                    color_scheme="green",
                    size="1",
                    **props,
                ),
                label="What was done",
            ),
        ),
        role="status",
    )


def form_error(problem: str, *, called: str = "", **props: Any) -> rx.Component:
    """Why a form's whole was not done, read out as soon as it is there; ``called`` is its id."""
    return rx.box(
        rx.cond(
            problem != "",
            rx.callout.root(
                rx.callout.icon(icon("circle-alert", size=16)),
                rx.callout.text(problem, white_space="pre-line"),
                color_scheme="red",
                size="1",
                **props,
            ),
        ),
        role="alert",
        id=called or None,
    )


def facts(rows: list[FactRow], **props: Any) -> rx.Component:
    """What is known of something: names, and what they are."""
    return rx.el.dl(
        each(
            rows,
            lambda fact: rx.fragment(
                rx.el.dt(rx.text(fact.name, size="2", color_scheme="gray")),
                rx.el.dd(rx.text(fact.value, size="2", class_name="fb-id")),
            ),
        ),
        class_name="fb-facts",
        **props,
    )


def loading_rows(number: int = 4) -> rx.Component:
    """Skeletons where a table's rows will be."""
    return rx.flex(
        *[rx.skeleton(height="28px", width="100%") for _ in range(number)],
        direction="column",
        spacing="3",
        aria_hidden="true",
    )
