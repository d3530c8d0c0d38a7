"""Customers: the list with its search, and the dialog that makes one."""

from __future__ import annotations

from typing import Any

import reflex as rx

from portal.features.customers.forms import DEFAULT_PLAN
from portal.features.customers.rows import CustomerRow
from portal.features.customers.state import Customers
from portal.kit.blocks import button_link, dialog_lead, empty, form_error, loading_rows
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import pager, select_field, text_field
from portal.kit.icon import icon
from portal.kit.tables import wide_table
from portal.kit.vars import each, length, pick
from portal.shared.once import shown_once
from portal.shell.feature import Page
from portal.shell.loaded import loaded

_FORM = "customer"


def page() -> Page:
    """The page."""
    return Page(
        state=Customers,
        content=(
            _search(),
            rx.card(
                loaded(
                    Customers,
                    rx.cond(length(Customers.customers) > 0, _table(), _none()),
                    skeleton=rx.box(loading_rows(), padding="var(--space-3)"),
                ),
                size="1",
                width="100%",
            ),
            pager(
                Customers.number,
                Customers.more,
                Customers.show_previous,
                Customers.show_next,
                back="Previous",
                forth="Next",
            ),
            _new(),
        ),
        lead="Every organization that buys from you.",
        actions=_create(),
        query=Customers.query,
    )


def _create() -> rx.Component:
    return rx.button(
        icon("plus", size=16),
        "New customer",
        on_click=Customers.open_form,
        disabled=Customers.phase != "ready",
    )


def _search() -> rx.Component:
    return rx.box(
        rx.input(
            rx.input.slot(icon("search", size=16)),
            default_value=Customers.search,
            on_change=Customers.find.debounce(250),
            placeholder="Part of a name or slug, or an id",
            aria_label="Find customers",
            auto_complete="off",
            max_length=200,
        ),
        max_width="24rem",
        margin_bottom="var(--space-4)",
    )


def _none() -> rx.Component:
    return rx.cond(
        Customers.search != "",
        empty("search-x", "No customers found", "No name or slug has this text in it."),
        empty(
            "building-2",
            "No customers yet",
            "Make one with its first owner, who gets in by signing in with the address that you "
            "give.",
        ),
    )


def _table() -> rx.Component:
    return wide_table(
        "customers",
        ("Customer", "Currency", "Time zone", "Since", "Status"),
        each(Customers.customers, _row),
    )


def _row(customer: CustomerRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.link(customer.name, href=customer.address, weight="medium"),
            rx.text(customer.slug, size="1", color_scheme="gray"),
        ),
        rx.table.cell(customer.currency),
        rx.table.cell(customer.time_zone, white_space="nowrap"),
        rx.table.cell(customer.since, white_space="nowrap"),
        rx.table.cell(
            rx.flex(
                rx.cond(customer.is_sample, rx.badge("Sample data", color_scheme="orange")),
                rx.cond(
                    customer.clock_page != "",
                    rx.link("Test clock", href=customer.clock_page, size="2"),
                ),
                rx.cond(
                    customer.ingest,
                    rx.badge("Active", color_scheme="green"),
                    rx.badge("Own events refused", color_scheme="gray"),
                ),
                spacing="2",
                wrap="wrap",
            )
        ),
        vertical_align="middle",
    )


def _new() -> rx.Component:
    return dialog(
        pick(Customers.created_name != "", "The customer is there", "New customer"),
        dialog_lead(
            pick(
                Customers.created_name != "",
                Customers.created_name + " has its first application and its plan.",
                "It gets its first application and its plan at once.",
            )
        ),
        rx.cond(Customers.created_name != "", _created(), _form()),
        opened=Customers.opened,
        close=Customers.close_form,
        width="34rem",
    )


def _created() -> rx.Component:
    return rx.fragment(
        rx.cond(
            Customers.secret != "",
            rx.fragment(
                rx.text(
                    Customers.invited,
                    " becomes the owner by signing in with that address. You can also send this "
                    "link; it can’t be shown again.",
                    size="2",
                    margin_top="var(--space-4)",
                ),
                shown_once(Customers.secret, "Copy the link", _open_it(), called="owner-link"),
            ),
            dialog_buttons(_open_it(), leave="Done"),
        ),
    )


def _open_it() -> rx.Component:
    return button_link("Open the customer", Customers.created_at)


def _form() -> rx.Component:
    return rx.form(
        rx.flex(
            _line("name", "Name", placeholder="e.g. Acme", auto_focus=True),
            _line(
                "owner",
                "Owner’s e-mail",
                type="email",
                note="Who signs in with this verified address becomes the owner. It can be done "
                "later.",
            ),
            rx.grid(
                _line("slug", "Slug", note="Empty: made of the name."),
                select_field(
                    "Plan",
                    "plan",
                    DEFAULT_PLAN,
                    rx.select.item("The default plan", value=DEFAULT_PLAN),
                    each(
                        Customers.plans,
                        lambda plan: rx.select.item(plan.name, value=plan.id),
                    ),
                    of=_FORM,
                    problem=Customers.problems["plan"],
                ),
                _line("currency", "Currency", note="Such as EUR. Empty: the default."),
                _line("time_zone", "Time zone", note="Such as Europe/Berlin. Empty: the default."),
                _line(
                    "clock_at",
                    "Test clock from",
                    type="date",
                    note="For trying a plan: a sample customer whose time you advance. Empty: a "
                    "customer in real time.",
                ),
                columns=rx.breakpoints(initial="1", xs="2"),
                spacing="4",
            ),
            form_error(Customers.problems["form"]),
            direction="column",
            spacing="4",
        ),
        dialog_buttons(rx.button("Create the customer", type="submit")),
        no_validate=True,
        on_submit=Customers.create,
        margin_top="var(--space-4)",
    )


def _line(name: str, label: str, *, note: str = "", **props: Any) -> rx.Component:
    return text_field(
        label,
        name,
        of=_FORM,
        problem=Customers.problems[name],
        note=note,
        spell_check=False,
        **props,
    )
