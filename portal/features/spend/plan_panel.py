"""The tenant's plan in a card, and what can be done with it."""

from __future__ import annotations

import reflex as rx

from portal.features.spend.plan_dialogs import plan_dialogs
from portal.features.spend.plan_state import Plans
from portal.kit.blocks import card, loading_rows
from portal.kit.dialogs import confirmation
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
                terms_list(Plans.current.terms),
                rx.cond(
                    Plans.next_change != "",
                    rx.callout.root(
                        rx.callout.icon(icon("clock", size=16)),
                        rx.callout.text(Plans.next_change),
                        size="1",
                        role="status",
                    ),
                ),
                rx.cond(
                    length(Plans.coupons) > 0,
                    rx.flex(
                        each(Plans.coupons, lambda name: rx.badge(name, color_scheme="green")),
                        spacing="2",
                        wrap="wrap",
                    ),
                ),
                rx.cond(
                    Plans.problem != "",
                    rx.text(Plans.problem, size="2", color_scheme="red", role="alert"),
                ),
                rx.cond(Plans.plans_change, _more()),
                direction="column",
                spacing="3",
            ),
            retry=Plans.load,
            skeleton=loading_rows(2),
        ),
        plan_dialogs(terms_list),
        heading="Plan",
        aside=rx.cond(
            Plans.plans_change & (length(Plans.offered) > 0),
            rx.button("Change plan", variant="soft", size="1", on_click=Plans.open("change")),
        ),
    )


def terms_list(terms: list[str]) -> rx.Component:
    """A plan's charges and quotas, a line each."""
    return rx.el.ul(
        each(terms, lambda term: rx.el.li(rx.text(term, size="2", color_scheme="gray"))),
        class_name="fb-terms",
    )


def _more() -> rx.Component:
    return rx.flex(
        rx.cond(
            Plans.has_quantities,
            rx.button("Seats and add-ons", variant="ghost", on_click=Plans.open("quantities")),
        ),
        rx.button("Redeem a coupon", variant="ghost", on_click=Plans.open("coupon")),
        rx.cond(
            Plans.paused,
            rx.button("Resume", variant="ghost", on_click=Plans.resume),
            confirmation(
                rx.button("Pause", variant="ghost"),
                "Pause the plan?",
                "From the next quarter hour on no fee runs and calls are refused, until you "
                "resume it.",
                rx.button("Pause the plan", on_click=Plans.pause),
            ),
        ),
        rx.button("End the plan", variant="ghost", color_scheme="red", on_click=Plans.open("end")),
        spacing="4",
        wrap="wrap",
        padding_top="var(--space-2)",
    )
