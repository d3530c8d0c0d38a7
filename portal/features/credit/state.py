"""The credit page: what is left, what burns first, what was done with it, and buying more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import reflex as rx

from backend_client import ClientError, Forbidden
from backend_client.types.common import Page, plain
from backend_client.types.wallets import (
    CreditGrant,
    LedgerEntry,
    TenantTopUp,
    TopUp,
    WalletBalance,
    WalletSettings,
)
from portal.features.credit.rows import (
    GrantRow,
    LedgerRow,
    TopUpRow,
    balance_note,
    grant_rows,
    ledger_row,
    purpose,
    rule_note,
    top_up_row,
)
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.kit.formatting import exact_money, money, second
from portal.session import polling
from portal.session.guard import PLANNERS, SPENDERS, Caller, may_change, signed_in
from portal.session.live import shared
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
from portal.shared.customer.state import Customer, CustomerState, customer_of

LEDGER_PAGE = 20
TOP_UPS_SHOWN = 20
_NO_PROBLEMS = dict.fromkeys(FIELDS, "")


class WalletAnswers(NamedTuple):
    """What the API says of a wallet and of what waits."""

    balance: WalletBalance
    grants: list[CreditGrant]
    ledger: Page[LedgerEntry]
    top_ups: Page[TopUp]
    waiting: list[TenantTopUp]
    platform: str | None
    prepaid: bool | None


class Credit(CustomerState, PageState, Session):
    """A wallet: the tenant's own, or for the operator any customer's."""

    own: bool = True
    changes: bool = False
    purpose: str = ""
    empty: bool = False
    spendable: str = ""
    exactly: str = ""
    reserved: str = ""
    used: str = ""
    granted: str = ""
    gone: str = ""
    low: str = ""

    grants: list[GrantRow] = []
    over: list[GrantRow] = []
    shows_over: bool = False
    top_ups: list[TopUpRow] = []
    taxed: bool = False
    payable: bool = False
    more_top_ups: bool = False
    waiting: list[TopUpRow] = []

    automatic: bool = False
    threshold: str = ""
    rule_amount: str = ""
    daily_ceiling: str = ""
    low_balance: str = ""
    rule: str = ""
    rule_read: int = 0

    ledger: list[LedgerRow] = []
    number: int = 1
    older: bool = False

    dialog: str = ""
    about_id: str = ""
    about_tenant: str = ""
    about_what: str = ""
    problems: dict[str, str] = _NO_PROBLEMS
    done: str = ""

    _cursors: list[str] = []
    _next: str | None = None
    _names: dict[str, str] = {}
    _settings: WalletSettings | None = None
    _answers: WalletAnswers | None = None
    _answered: tuple[Customer, list[str]] | None = None

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

    def _picked(self) -> Any:
        self._cursors, self.done = [], ""
        return Credit.look

    @signed_in()
    async def show_over(self, caller: Caller, shown: bool) -> None:
        """Show the grants that are used up or over too, or not."""
        self.shows_over = shown

    @signed_in()
    async def show_older(self, caller: Caller) -> Any:
        """Show the movements before these."""
        if self._next is not None:
            self._cursors = [*self._cursors, self._next]
        return Credit.look

    @signed_in()
    async def show_newer(self, caller: Caller) -> Any:
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
    async def buy(self, caller: Caller, form: dict[str, Any]) -> Any:
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
    async def pay(self, caller: Caller, top_up_id: str) -> Any:
        """Go on to the page on which a top-up is paid."""
        return rx.redirect((await caller.client.payments.top_up_link(top_up_id)).url)

    @signed_in()
    async def choose_automatic(self, caller: Caller, chosen: bool) -> None:
        """Show the fields of the rule, or not."""
        self.automatic = chosen

    @signed_in()
    async def save_settings(self, caller: Caller, form: dict[str, Any]) -> Any:
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
    async def finish(self, caller: Caller, form: dict[str, Any]) -> Any:
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
    async def refund(self, caller: Caller) -> Any:
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
    async def give(self, caller: Caller, form: dict[str, Any]) -> Any:
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

    async def _try(self, act: Callable[[], Any]) -> Any:
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

    async def _load(self, caller: Caller, *, fresh_seconds: float = 0) -> None:
        """Load the customer's wallet, and what waits for the operator.

        What another tab was answered ``fresh_seconds`` ago will do.
        """
        async with self:
            customer, cursors = self.customer, list(self._cursors)
        own = customer.id == caller.me.tenant.id
        tenant = None if own and caller.me.role in SPENDERS else customer.id
        cursor = cursors[-1] if cursors else None
        pays = own and caller.me.role in PLANNERS

        async def ask() -> WalletAnswers:
            client = caller.client
            ledger = client.wallet.ledger.list(limit=LEDGER_PAGE, cursor=cursor, tenant=tenant)
            top_ups = client.wallet.top_ups.list(limit=TOP_UPS_SHOWN, tenant=tenant)
            return WalletAnswers(
                await client.wallet.get(tenant=tenant),
                await client.wallet.grants.list(tenant=tenant).all(),
                await ledger.page(),
                await top_ups.page(),
                await waiting_top_ups(caller),
                (await client.payments.options()).platform if pays else None,
                (await client.subscription.get()).plan.definition.prepaid if own else None,
            )

        answers = await shared(
            caller,
            ("credit", tenant, cursor),
            ask,
            fresh_seconds=fresh_seconds,
            of_usage=False,
        )
        if fresh_seconds and answers == self._answers and (customer, cursors) == self._answered:
            async with self:
                self._ready()
            return  # what has not changed is not sent
        balance, grants, ledger, top_ups, waiting, platform, prepaid = answers
        async with self:
            if (customer, cursors) != (self.customer, self._cursors):
                return
            self._answers, self._answered = answers, (customer, cursors)
            self.own = own
            self.payable = platform is not None
            self.changes = may_change(caller.me, PLANNERS) if own else caller.me.is_operator
            self.purpose = purpose(prepaid=prepaid)
            self._show_balance(balance)
            self._show_grants(grants)
            self._show_ledger(ledger.items, ledger.next_cursor)
            self.more_top_ups = top_ups.next_cursor is not None
            self._show_top_ups(top_ups.items)
            self.waiting = [
                top_up_row(top_up, top_up.currency, caller.me.tenant.time_zone)
                for top_up in waiting
            ]
            self.empty = not grants and not top_ups.items
            self._ready()

    def _show_balance(self, balance: WalletBalance) -> None:
        currency = balance.currency
        self.spendable = money(balance.spendable, currency)
        self.exactly = balance_note(balance.spendable, currency)
        self.reserved, self.used = money(balance.reserved, currency), money(balance.used, currency)
        self.granted = f"Of {money(balance.granted, currency)} granted"
        self.gone = money(balance.expired + balance.refunded, currency)
        settings = balance.settings
        self.taxed = balance.top_ups_taxed
        self.low = ""
        if balance.low_since is not None and settings.low_balance is not None:
            since = second(balance.low_since, self.customer.time_zone)
            self.low = f"Less than {money(settings.low_balance, currency)} is left, since {since}."
        if settings != self._settings:
            self._show_settings(settings, currency)

    def _show_settings(self, settings: WalletSettings, currency: str) -> None:
        rule = settings.top_up
        self._settings = settings
        self.automatic = rule is not None
        self.threshold = plain(rule.threshold) if rule else ""
        self.rule_amount = plain(rule.amount) if rule else ""
        self.daily_ceiling = plain(rule.daily_ceiling) if rule else ""
        self.low_balance = plain(settings.low_balance) if settings.low_balance else ""
        self.rule = rule_note(rule, currency)
        self.rule_read += 1

    def _show_grants(self, grants: list[CreditGrant]) -> None:
        self._names = {grant.id: grant.name for grant in grants}
        self.grants, self.over = grant_rows(
            grants, self.customer.currency, self.customer.time_zone, datetime.now(UTC)
        )

    def _show_ledger(self, entries: list[LedgerEntry], following: str | None) -> None:
        customer = self.customer
        self.ledger = [
            ledger_row(entry, self._names, customer.currency, customer.time_zone)
            for entry in entries
        ]
        self._next, self.older = following, following is not None
        self.number = len(self._cursors) + 1

    def _show_top_ups(self, top_ups: list[TopUp]) -> None:
        customer = self.customer
        self.top_ups = [
            top_up_row(top_up, customer.currency, customer.time_zone) for top_up in top_ups
        ]


async def waiting_top_ups(caller: Caller) -> list[TenantTopUp]:
    """What waits for the operator; nothing for others, also for who was one a moment ago."""
    if not caller.me.is_operator:
        return []
    try:
        return await caller.client.wallet.top_ups.waiting().all()
    except Forbidden:
        return []
