"""The low-balance card: automatic top-up, and the balance below which to warn."""

from __future__ import annotations

import reflex as rx

from portal.features.credit.state import Credit
from portal.kit.blocks import card
from portal.kit.fields import labeled, text_field
from portal.kit.vars import pick


def credit_rule() -> rx.Component:
    """The form for who may change it; for others what holds."""
    return card(
        rx.cond(
            Credit.changes,
            _form(),
            rx.flex(
                rx.text(Credit.rule, size="2"),
                rx.text(
                    pick(
                        Credit.low_balance != "",
                        "Below " + Credit.low_balance + " " + Credit.customer.currency + " left "
                        "it warns.",
                        "No low-balance warning is set.",
                    ),
                    size="2",
                    color_scheme="gray",
                ),
                direction="column",
                spacing="1",
            ),
        ),
        heading="Low balance",
        id="credit-rule",
    )


def _form() -> rx.Component:
    return rx.form(
        rx.flex(
            labeled(
                "Top up automatically",
                rx.switch(checked=Credit.automatic, on_change=Credit.choose_automatic),
                weight="medium",
            ),
            rx.cond(
                Credit.automatic,
                rx.grid(
                    _amount("threshold", "When the balance is below", Credit.threshold),
                    _amount("rule_amount", "Top up by", Credit.rule_amount),
                    _amount("daily_ceiling", "Daily maximum", Credit.daily_ceiling),
                    columns=rx.breakpoints(initial="1", sm="3"),
                    spacing="4",
                ),
            ),
            rx.box(
                _amount(
                    "low_balance",
                    "Warn when the balance is below",
                    Credit.low_balance,
                    note="Empty: no warning.",
                ),
                max_width="16rem",
            ),
            rx.box(
                rx.cond(
                    (Credit.problems["form"] != "") & (Credit.dialog == ""),
                    rx.text(Credit.problems["form"], size="2", color_scheme="red"),
                ),
                role="alert",
            ),
            rx.flex(rx.button("Save", type="submit"), justify="end"),
            direction="column",
            spacing="4",
        ),
        on_submit=Credit.save_settings,
    )


def _amount(name: str, label: str, value: str, *, note: str = "") -> rx.Component:
    return text_field(
        label,
        name,
        rx.input.slot(Credit.customer.currency),
        of="credit",
        problem=Credit.problems[name],
        note=note,
        value=value,
        version=Credit.rule_read,
        input_mode="decimal",
        max_length=24,
    )
