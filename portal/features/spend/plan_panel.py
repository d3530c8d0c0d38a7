"""The tenant's plan in a card, and the dialog that changes it."""

from __future__ import annotations

import reflex as rx

from portal.features.spend.plan_rows import PlanCard
from portal.features.spend.plan_state import Plans
from portal.kit.blocks import card, dialog_lead, loading_rows
from portal.kit.icon import icon
from portal.kit.vars import each, length
from portal.shell.loaded import loaded


def plan_panel() -> rx.Component:
    """The current plan, its terms, and a way to another."""
    return card(
        loaded(
            Plans,
            rx.flex(
                rx.flex(
                    rx.heading(Plans.current.name, as_="h3", size="4", weight="medium"),
                    rx.text(Plans.since, size="2", color_scheme="gray"),
                    align="baseline",
                    spacing="3",
                    wrap="wrap",
                ),
                _terms(Plans.current.terms),
                rx.cond(
                    Plans.next_change != "",
                    rx.callout.root(
                        rx.callout.icon(icon("clock", size=16)),
                        rx.callout.text(Plans.next_change),
                        size="1",
                        role="status",
                    ),
                ),
                rx.cond(Plans.problem != "", rx.text(Plans.problem, size="2", color_scheme="red")),
                direction="column",
                spacing="3",
            ),
            retry=Plans.load,
            skeleton=loading_rows(2),
        ),
        heading="Plan",
        aside=rx.cond(Plans.plans_change & (length(Plans.offered) > 0), _change()),
    )


def _terms(terms: list[str]) -> rx.Component:
    return rx.el.ul(
        each(terms, lambda term: rx.el.li(rx.text(term, size="2", color_scheme="gray"))),
        class_name="fb-terms",
    )


def _change() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.trigger(rx.button("Change plan", variant="soft", size="1")),
        rx.dialog.content(
            rx.dialog.title("Change plan"),
            dialog_lead(Plans.takes_effect),
            rx.flex(
                each(Plans.offered, _offer),
                direction="column",
                spacing="3",
                margin_top="var(--space-4)",
            ),
            max_width="34rem",
        ),
    )


def _offer(plan: PlanCard) -> rx.Component:
    return rx.card(
        rx.flex(
            rx.box(
                rx.text(plan.name, weight="medium"),
                rx.cond(
                    plan.description != "",
                    rx.text(plan.description, size="2", color_scheme="gray"),
                ),
                _terms(plan.terms),
                min_width="0",
            ),
            rx.dialog.close(
                rx.button(
                    "Choose", on_click=Plans.change(plan.id), aria_label="Choose " + plan.name
                )
            ),
            justify="between",
            align="start",
            spacing="4",
        ),
        size="2",
    )
