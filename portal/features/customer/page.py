"""A customer's page: who it is, and a tab for each part of it."""

from __future__ import annotations

import reflex as rx

from portal import routes
from portal.features.customer.billing.page import billing_tab
from portal.features.customer.credit.page import credit_tab
from portal.features.customer.invoices.page import invoices_tab
from portal.features.customer.keys.page import keys_tab
from portal.features.customer.overview import overview_tab
from portal.features.customer.people.page import people_tab
from portal.features.customer.plan.page import plan_tab
from portal.features.customer.state import TABS, CustomerPage
from portal.features.customer.webhooks.page import webhooks_tab
from portal.kit.blocks import card, failed, loading_rows, success
from portal.kit.deferred import deferred
from portal.kit.fields import choice
from portal.kit.icon import icon
from portal.kit.vars import pick
from portal.shell.feature import Page
from portal.shell.loaded import loaded
from portal.shell.viewing import view_button


def page() -> Page:
    """The page."""
    return Page(
        state=CustomerPage,
        content=(
            success(CustomerPage.done, margin_bottom="var(--space-5)"),
            rx.tabs.root(
                rx.box(
                    rx.tabs.list(
                        *[rx.tabs.trigger(name, value=tab) for tab, name in TABS.items()],
                        wrap="nowrap",
                    ),
                    class_name="fb-tabs",
                ),
                # A phone shows half of the tabs: there all are in a list
                rx.box(
                    choice(
                        "Part of the page",
                        CustomerPage.tab,
                        CustomerPage.choose_tab,
                        *[rx.select.item(name, value=tab) for tab, name in TABS.items()],
                    ),
                    class_name="fb-tab-choice",
                ),
                *[_content(tab) for tab in TABS],
                value=CustomerPage.tab,
                on_change=CustomerPage.choose_tab,
            ),
        ),
        lead="You act for this customer as the operator; its audit says so.",
        heading=pick(CustomerPage.customer.name != "", CustomerPage.customer.name, "Customer"),
        actions=rx.flex(
            rx.cond(
                CustomerPage.customer.is_sample, rx.badge("Sample data", color_scheme="orange")
            ),
            rx.cond(CustomerPage.customer.id != "", view_button(CustomerPage.customer.id)),
            rx.button(
                rx.link(
                    icon("arrow-left", size=16),
                    "All customers",
                    href=routes.CUSTOMERS,
                    underline="none",
                ),
                as_child=True,
                variant="soft",
                color_scheme="gray",
            ),
            align="center",
            spacing="3",
            wrap="wrap",
        ),
        query=CustomerPage.query,
    )


def _content(tab: str) -> rx.Component:
    sections = {
        "overview": overview_tab,
        "people": people_tab,
        "keys": keys_tab,
        "plan": plan_tab,
        "credit": credit_tab,
        "invoices": invoices_tab,
        "billing": billing_tab,
        "webhooks": webhooks_tab,
    }
    return rx.tabs.content(
        loaded(
            CustomerPage,
            rx.cond(
                CustomerPage.shown == tab,
                # The first one comes with the page; most visits see no other
                deferred(sections[tab]) if tab != "overview" else overview_tab(),
                rx.cond(
                    CustomerPage.problem != "",
                    failed(CustomerPage.problem, CustomerPage.load),
                    card(loading_rows()),
                ),
            ),
            skeleton=card(loading_rows()),
        ),
        value=tab,
        padding_top="var(--space-5)",
    )
