"""A wallet as the credit page shows it, and what waits for the operator."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from backend_client import Forbidden
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
from portal.kit.formatting import money, second
from portal.session.guard import PLANNERS, SPENDERS, Caller, may_change
from portal.session.live import shared
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.customer.state import Customer, CustomerState

LEDGER_PAGE = 20
TOP_UPS_SHOWN = 20


class WalletAnswers(NamedTuple):
    """What the API says of a wallet and of what waits."""

    balance: WalletBalance
    grants: list[CreditGrant]
    ledger: Page[LedgerEntry]
    top_ups: Page[TopUp]
    waiting: list[TenantTopUp]
    platform: str | None
    prepaid: bool | None


class WalletState(CustomerState, PageState, Session, mixin=True):
    """What the page shows of a wallet, and how it is loaded."""

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

    _cursors: list[str] = []
    _next: str | None = None
    _names: dict[str, str] = {}
    _settings: WalletSettings | None = None
    _answers: WalletAnswers | None = None
    _answered: tuple[Customer, list[str]] | None = None

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
