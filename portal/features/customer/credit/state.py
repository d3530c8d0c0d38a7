"""The customer's credit: what is left of it, and giving more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend_client.types.wallets import CreditGrant, CreditKind
from portal.features.customer.state import LOADS, CustomerPage
from portal.kit.formatting import date, exact_money, money
from portal.session.guard import Caller, NextEvents, signed_in
from portal.shared.credit.forms import grant_from


@dataclass(frozen=True)
class GrantRow:
    """A grant with what is left of it."""

    name: str
    kind: str
    left: str
    amount: str
    expires: str


def grant_row(grant: CreditGrant, currency: str, time_zone: str) -> GrantRow:
    """A grant as the list shows it."""
    return GrantRow(
        name=grant.name,
        kind="Purchased" if grant.kind is CreditKind.PAID else "Promotional",
        left=exact_money(grant.available, currency),
        amount=exact_money(grant.amount, currency),
        expires="Never" if grant.expires_at is None else date(grant.expires_at, time_zone),
    )


class CreditTab(CustomerPage):
    """The wallet in short; the page Credit has all of it."""

    spendable: str = ""
    reserved: str = ""
    used: str = ""
    grants: list[GrantRow] = []

    @signed_in(operator=True, background=True)
    async def load(self, caller: Caller) -> None:
        """Load the wallet."""
        tenant = self._wanted
        balance = await caller.client.wallet.get(tenant=tenant)
        grants = await caller.client.wallet.grants.list(tenant=tenant).all()
        currency = balance.currency
        async with self:
            if self._is_about_another(tenant):
                return
            self.spendable = money(balance.spendable, currency)
            self.reserved = money(balance.reserved, currency)
            self.used = money(balance.used, currency)
            zone = self.customer.time_zone
            self.grants = [grant_row(grant, currency, zone) for grant in grants]
            self._show("credit")

    @signed_in(operator=True)
    async def open_grant(self, caller: Caller) -> None:
        """Ask what credit to give."""
        self._open("grant")

    @signed_in(operator=True)
    async def give(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Give the customer credit."""

        async def act() -> str:
            wanted = grant_from(form, self.customer.time_zone)
            grant = await caller.client.wallet.grants.create(wanted, tenant=self._wanted)
            return f"{self.customer.name} has {money(grant.amount, self.customer.currency)} more."

        return await self._try(act, CreditTab.load)


LOADS["credit"] = CreditTab.load
