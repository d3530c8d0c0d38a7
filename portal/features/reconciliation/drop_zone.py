"""Where a provider's file is dropped, and why the last one could not be read."""

from __future__ import annotations

import reflex as rx

from portal.features.reconciliation.state import Reconciliations
from portal.kit.blocks import card, form_error
from portal.kit.plain import plain_form
from portal.kit.tables import remark

PROVIDERS = ("openai", "anthropic", "openrouter")
"""Suggested; any other name can be written."""


def drop_zone() -> rx.Component:
    """The form. A file field takes what is dropped on it, in every browser and by keyboard."""
    return card(
        plain_form(
            rx.grid(
                _field("Provider", "provider", list_="providers", default="openai"),
                _field("Time zone of its days", "time_zone", default="UTC"),
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
            rx.el.datalist(*[rx.el.option(value=name) for name in PROVIDERS], id="providers"),
            rx.el.label(
                rx.el.span("Invoice or usage export", class_name="fb-drop-name"),
                rx.el.span("CSV or JSON, as it was downloaded. Drop it here, or choose it."),
                rx.el.input(
                    type="file",
                    name="file",
                    accept=".csv,.json,.jsonl,text/csv,application/json",
                    required=True,
                ),
                class_name="fb-drop",
            ),
            rx.flex(
                rx.button("Import and compare", type="submit"),
                justify="end",
                margin_top="var(--space-4)",
            ),
            action="/uploads/reconciliation",
            method="post",
            enc_type="multipart/form-data",
        ),
        rx.box(
            form_error(Reconciliations.failure, called="import-failed"),
            margin_top="var(--space-3)",
        ),
        remark(
            "OpenAI, Anthropic, OpenRouter, or FOCUS from a cloud: the file’s shape says which. "
            "The same file again is the same import. A CSV of another form is imported by the "
            "command, with a mapping."
        ),
        heading="Import a file",
    )


def _field(label: str, name: str, *, default: str, list_: str = "") -> rx.Component:
    return rx.el.label(
        rx.text(label, size="2", weight="medium", margin_bottom="4px"),
        rx.el.input(
            name=name,
            default_value=default,
            max_length=100,
            required=True,
            auto_complete="off",
            class_name="fb-plain-field",
            custom_attrs={"list": list_} if list_ else {},
        ),
    )
