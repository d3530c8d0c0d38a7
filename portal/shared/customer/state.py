"""Which customer an operator's page is about, and finding another among all of them."""

from __future__ import annotations

from dataclasses import dataclass

import reflex as rx

from backend_client.types.accounts import Tenant
from portal.session.guard import Caller, NextEvents, signed_in

OFFERED = 20
"""Customers in the list; writing part of a name brings others."""


@dataclass(frozen=True)
class Customer:
    """A tenant, by what the page says of it."""

    id: str = ""
    name: str = ""
    slug: str = ""
    currency: str = "USD"
    time_zone: str = "UTC"
    is_sample: bool = False


class CustomerState(rx.State, mixin=True):
    """``customer`` is whom the page is about; ``customers`` are those to pick from."""

    customer: Customer = Customer()
    customers: list[Customer] = []
    choosing: bool = False

    def _picked(self) -> NextEvents:
        """What brings the page to the customer that was picked."""
        raise NotImplementedError

    @signed_in(operator=True)
    async def open_customers(self, caller: Caller, shown: bool) -> None:
        """Open or close the list of customers."""
        self.choosing = shown
        if shown:
            self.customers = await customers(caller, "")

    @signed_in(operator=True)
    async def search_customers(self, caller: Caller, text: str) -> None:
        """Offer the customers with a text in their name or slug."""
        self.customers = await customers(caller, text.strip()[:200])

    @signed_in(operator=True)
    async def pick_customer(self, caller: Caller, tenant_id: str) -> NextEvents:
        """Bring the page to another customer."""
        self.choosing = False
        for customer in await customers(caller, tenant_id):
            if customer.id == tenant_id:
                self.customer = customer
                return self._picked()
        return None


async def customers(caller: Caller, search: str) -> list[Customer]:
    """The customers with a text in their name or slug, or with it as id."""
    page = await caller.client.tenants.list(search=search, limit=OFFERED).page()
    return [customer_of(tenant) for tenant in page.items]


def customer_of(tenant: Tenant) -> Customer:
    """A tenant as pages show it."""
    return Customer(
        tenant.id, tenant.name, tenant.slug, tenant.currency, tenant.time_zone, tenant.is_sample
    )
