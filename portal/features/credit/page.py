"""Credit: what is left and what burns first, what was done with it, and buying more."""

from __future__ import annotations

import reflex as rx

from portal.features.credit.dialogs import credit_dialogs
from portal.features.credit.rule import credit_rule
from portal.features.credit.state import Credit
from portal.features.credit.tables import grants, ledger, top_ups, waiting
from portal.kit.blocks import card, empty, figure, loading_rows, success
from portal.kit.icon import icon
from portal.kit.vars import length, pick
from portal.shared.customer.picker import customer_picker
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Credit,
        content=(
            success(Credit.done, margin_bottom="var(--space-5)"),
            loaded(
                Credit,
                rx.flex(
                    _low(),
                    _figures(),
                    rx.cond(Credit.operates & (length(Credit.waiting) > 0), waiting()),
                    rx.cond(
                        Credit.phase == "loading",
                        card(loading_rows()),
                        rx.cond(Credit.empty, _none(), rx.fragment(grants(), top_ups())),
                    ),
                    rx.cond(Credit.phase == "ready", credit_rule()),
                    rx.cond(length(Credit.ledger) > 0, ledger()),
                    direction="column",
                    spacing="5",
                ),
            ),
            credit_dialogs(),
        ),
        lead="Purchased and granted credit, and how it was used.",
        actions=rx.cond(Credit.phase == "ready", _actions()),
    )


def _actions() -> rx.Component:
    return rx.flex(
        rx.cond(Credit.operates, customer_picker(Credit)),
        rx.cond(
            Credit.operates,
            rx.button("Grant credit", on_click=Credit.open_giving, variant="soft"),
        ),
        rx.cond(Credit.changes, _buy()),
        align="center",
        spacing="3",
        wrap="wrap",
    )


def _buy() -> rx.Component:
    return rx.button(icon("plus", size=16), "Buy credit", on_click=Credit.open_buying)


def _low() -> rx.Component:
    """Whether little is left."""
    return rx.box(
        rx.cond(
            Credit.low != "",
            rx.callout.root(
                rx.callout.icon(icon("triangle-alert", size=16)),
                rx.callout.text(Credit.low),
                color_scheme="orange",
                size="1",
            ),
        ),
        role="status",
        id="low-balance",
        display=pick(Credit.low != "", "block", "none"),
    )


def _figures() -> rx.Component:
    loading = Credit.phase == "loading"
    return rx.box(
        rx.grid(
            figure("Balance", Credit.spendable, Credit.exactly, loading=loading),
            figure(
                "Reserved",
                Credit.reserved,
                "For calls in progress; what they don’t use is released",
                loading=loading,
            ),
            figure("Used", Credit.used, Credit.granted, loading=loading),
            figure("Expired or refunded", Credit.gone, "No longer usable", loading=loading),
            columns=rx.breakpoints(initial="2", lg="4"),
            spacing="4",
        ),
        rx.text(Credit.purpose, size="2", color_scheme="gray", margin_top="var(--space-4)"),
    )


def _none() -> rx.Component:
    return card(
        empty(
            "wallet",
            "No credit",
            "Purchased, granted and included credit shows here, with its expiry and what it can be "
            "used for.",
            rx.cond(Credit.changes, _buy()),
            id="no-credit",
        )
    )
