"""The dialog of what a customer saved to be charged by, on the platform that collects from it."""

from __future__ import annotations

from dataclasses import dataclass

import reflex as rx

from backend_client.types.platforms import PaymentMethod
from portal.session.guard import PLANNERS, Caller, NextEvents, signed_in
from portal.session.page import LOADING, PageState
from portal.session.state import Session


@dataclass(frozen=True)
class MethodRow:
    """A payment method in one line; ``chosen`` if invoices are charged to it."""

    label: str
    expires: str
    chosen: bool


def method_row(method: PaymentMethod) -> MethodRow:
    """A payment method as the dialog shows it."""
    year, _, month = (method.expires_on or "").partition("-")
    return MethodRow(
        label=method.label,
        expires=f"Expires {month}/{year}" if month else "",
        chosen=method.chosen,
    )


class PaymentMethods(PageState, Session):
    """``methods`` are what was saved when the dialog was opened."""

    opened: bool = False
    methods: list[MethodRow] = []

    def _fail(self, why: str) -> None:
        """Say why in the dialog while it is open, for it covers the page."""
        if self.opened:
            super()._fail(why)
        else:
            self.notice = why

    @signed_in()
    async def arrive(self, caller: Caller) -> None:
        """Begin without what was open when the page was left."""
        self.opened = False

    @signed_in(roles=PLANNERS, background=True)
    async def open_methods(self, caller: Caller) -> None:
        """Open the dialog, and load what it shows."""
        async with self:
            self.opened, self.phase, self.problem = True, LOADING, ""
        methods = await caller.client.payments.methods().all()
        async with self:
            self.methods = [method_row(method) for method in methods]
            self._ready()

    @signed_in()
    async def close_methods(self, caller: Caller) -> None:
        """Leave everything as it is."""
        self.opened = False

    @signed_in(roles=PLANNERS)
    async def add_method(self, caller: Caller) -> NextEvents:
        """Go on to the page on which a method is saved."""
        return rx.redirect((await caller.client.payments.method_link()).url)

    @signed_in(roles=PLANNERS)
    async def manage(self, caller: Caller) -> NextEvents:
        """Go on to the customer's own pages: methods, receipts."""
        return rx.redirect((await caller.client.payments.portal_link()).url)
