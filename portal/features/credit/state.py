"""The credit page: what is left, what burns first, what was done with it, and buying more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import reflex as rx

from backend_client import ClientError
from portal.features.credit.wallet_state import WalletState
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.kit.formatting import exact_money, money
from portal.session import polling
from portal.session.guard import PLANNERS, SPENDERS, Caller, NextEvents, may_change, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.credit.forms import (
    FIELDS,
    by_field,
    grant_from,
    outcome_from,
    settings_from,
    top_up_from,
)
from portal.shared.customer.state import CustomerState, customer_of

_NO_PROBLEMS = dict.fromkeys(FIELDS, "")


class Credit(WalletState, CustomerState, PageState, Session):
    """A wallet: the tenant's own, or for the operator any customer's."""

    dialog: str = ""
    about_id: str = ""
    about_tenant: str = ""
    about_what: str = ""
    problems: dict[str, str] = _NO_PROBLEMS
    done: str = ""

    @signed_in(background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Load the page, and follow the wallet until the browser leaves it."""
        if caller.me.role not in SPENDERS and not caller.me.is_operator:
            async with self:
                self._fail(f"Your role here ({caller.me.role}) can't do this.")
            return ()
        async with self:
            if not caller.me.is_operator or not self.customer.id:
                self.customer = customer_of(caller.me.tenant)
            self.done, self._answers = "", None
            wanted = self.router.url.query_parameters.get("tenant", "")
        if wanted and caller.me.is_operator:
            customer = customer_of(await caller.client.tenants.get(wanted))
            async with self:
                self.customer = customer
        return await self._follow(
            caller,
            lambda: self._load(caller, fresh_seconds=polling.CREDIT / 2),
            polling.CREDIT,
        )

    @signed_in(background=True)
    async def look(self, caller: Caller) -> None:
        """Load what has just changed, without waiting for the next look."""
        await self._load(caller)

    def _picked(self) -> NextEvents:
        self._cursors, self.done = [], ""
        return Credit.look

    @signed_in()
    async def show_over(self, caller: Caller, shown: bool) -> None:
        """Show the grants that are used up or over too, or not."""
        self.shows_over = shown

    @signed_in()
    async def show_older(self, caller: Caller) -> NextEvents:
        """Show the movements before these."""
        if self._next is not None:
            self._cursors = [*self._cursors, self._next]
        return Credit.look

    @signed_in()
    async def show_newer(self, caller: Caller) -> NextEvents:
        """Show the movements after these."""
        self._cursors = self._cursors[:-1]
        return Credit.look

    @signed_in()
    async def close_dialog(self, caller: Caller) -> None:
        """Leave everything as it is."""
        self._close()

    @signed_in()
    async def open_buying(self, caller: Caller) -> None:
        """Ask how much to buy."""
        if self._changes(caller):
            self._open("buy")

    @signed_in()
    async def buy(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Ask to buy credit; it is there once the payment is confirmed."""
        if self.dialog != "buy" or not self._changes(caller):
            return None
        tenant = None if self.own else self.customer.id

        async def ask() -> str:
            asked = await caller.client.wallet.top_ups.create(top_up_from(form), tenant=tenant)
            shown = money(asked.amount, self.customer.currency)
            return f"{shown} was requested. It is available once the payment is confirmed."

        return await self._try(ask)

    @signed_in(roles=PLANNERS)
    async def pay(self, caller: Caller, top_up_id: str) -> NextEvents:
        """Go on to the page on which a top-up is paid."""
        return rx.redirect((await caller.client.payments.top_up_link(top_up_id)).url)

    @signed_in()
    async def choose_automatic(self, caller: Caller, chosen: bool) -> None:
        """Show the fields of the rule, or not."""
        self.automatic = chosen

    @signed_in()
    async def save_settings(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Save the automatic top-up, and the balance below which to warn."""
        if not self._changes(caller):
            return None
        tenant = None if self.own else self.customer.id

        async def keep() -> str:
            wanted = settings_from({**form, "automatic": self.automatic})
            await caller.client.wallet.update(wanted, tenant=tenant)
            return "Low-balance settings saved."

        return await self._try(keep)

    @signed_in(operator=True)
    async def open_outcome(self, caller: Caller, top_up_id: str, tenant_id: str) -> None:
        """Ask what became of a payment."""
        for row in (*self.waiting, *self.top_ups):
            if row.id == top_up_id:
                self.about_tenant = tenant_id or self.customer.id
                whose = row.customer or self.customer.name
                self._open("outcome", top_up_id, f"{row.amount} for {whose}, requested {row.asked}")

    @signed_in(operator=True)
    async def finish(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Say what became of the payment; if it was made, the credit is there at once."""
        if self.dialog != "outcome":
            return None

        async def finish() -> str:
            done = await caller.client.wallet.top_ups.resolve(
                self.about_id, outcome_from(form), tenant=self.about_tenant
            )
            credited = "the credit is available" if done.state == "paid" else "no credit was added"
            return f"The payment is recorded as {done.state}: {credited}."

        return await self._try(finish)

    @signed_in(operator=True)
    async def open_refund(self, caller: Caller, grant_id: str) -> None:
        """Ask whether to pay back what is left of a grant."""
        for row in self.grants:
            if row.id == grant_id and row.refundable:
                self._open("refund", grant_id, f"{row.left} of {row.name}")

    @signed_in(operator=True)
    async def refund(self, caller: Caller) -> NextEvents:
        """Take back what is left of bought credit, which the operator pays back."""
        if self.dialog != "refund":
            return None

        async def refund() -> str:
            taken = await caller.client.wallet.grants.refund(self.about_id, tenant=self.customer.id)
            shown = exact_money(taken.refunded, self.customer.currency)
            return (
                f"{shown} of {taken.name} was removed from the wallet. Pay it to the customer now."
            )

        return await self._try(refund)

    @signed_in(operator=True)
    async def open_giving(self, caller: Caller) -> None:
        """Ask what credit to give."""
        self._open("give")

    @signed_in(operator=True)
    async def give(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Give the customer credit."""
        if self.dialog != "give":
            return None

        async def give() -> str:
            wanted = grant_from(form, self.customer.time_zone)
            grant = await caller.client.wallet.grants.create(wanted, tenant=self.customer.id)
            return f"{self.customer.name} has {money(grant.amount, self.customer.currency)} more."

        return await self._try(give)

    def _changes(self, caller: Caller) -> bool:
        """Tell whether the caller may buy for this wallet and set its rule; say so if not."""
        if may_change(caller.me, PLANNERS) if self.own else caller.me.is_operator:
            return True
        self._fail(f"Your role here ({caller.me.role}) can't do this.")
        return False

    async def _try(self, act: Callable[[], Any]) -> NextEvents:
        """Do what a form asks for; or say what is wrong at its fields."""
        self.problems = _NO_PROBLEMS
        try:
            done = await act()
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
        else:
            self._close()
            self.done = done
            return Credit.look
        return None

    def _open(self, dialog: str, about_id: str = "", about_what: str = "") -> None:
        self.dialog, self.about_id, self.about_what = dialog, about_id, about_what
        self.problems, self.done = _NO_PROBLEMS, ""

    def _close(self) -> None:
        self.dialog, self.problems = "", _NO_PROBLEMS
