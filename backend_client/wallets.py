"""The clients' methods for prepaid credit."""

from __future__ import annotations

from datetime import datetime

from backend_client.requests import wallets as requests
from backend_client.sending import AsyncSender, Sender
from backend_client.types.common import Page
from backend_client.types.wallets import (
    CreditGrant,
    CreditGrantCreate,
    LedgerEntry,
    TenantTopUp,
    TopUp,
    TopUpCreate,
    TopUpOutcome,
    WalletBalance,
    WalletSettings,
)


class WalletMethods(Sender):
    """Those of the synchronous client."""

    def wallet(self, at: datetime | None = None, tenant: str | None = None) -> WalletBalance:
        """What the wallet holds, or held at an instant; another ``tenant``'s, for the operator."""
        return self._do(requests.wallet(at, tenant))

    def set_wallet(self, wanted: WalletSettings) -> WalletBalance:
        """Set when the wallet buys more by itself, and when it warns."""
        return self._do(requests.set_wallet(wanted))

    def ledger(self) -> list[LedgerEntry]:
        """What was done with credit, newest first."""
        return self._all(requests.ledger())

    def ledger_page(
        self, *, cursor: str | None = None, limit: int = 50, tenant: str | None = None
    ) -> Page[LedgerEntry]:
        """One page of it, 200 at most; of another ``tenant``, for the operator."""
        return self._do(requests.ledger(tenant, limit).page(cursor))

    def grants(self, tenant: str | None = None) -> list[CreditGrant]:
        """The credit that was given or bought; to another ``tenant``, for the operator."""
        return self._all(requests.grants(tenant))

    def top_ups(self) -> list[TopUp]:
        """What was asked to be bought, newest first."""
        return self._all(requests.top_ups())

    def top_up_page(
        self, *, cursor: str | None = None, limit: int = 50, tenant: str | None = None
    ) -> Page[TopUp]:
        """One page of it, 200 at most; of another ``tenant``, for the operator."""
        return self._do(requests.top_ups(tenant, limit).page(cursor))

    def waiting_top_ups(self) -> list[TenantTopUp]:
        """All tenants' top-ups that wait for their payment, oldest first; for the operator."""
        return self._all(requests.waiting_top_ups())

    def ask_for_top_up(self, wanted: TopUpCreate) -> TopUp:
        """Ask to buy credit; it is there once the operator has the payment."""
        return self._do(requests.ask_for_top_up(wanted))

    def give_credit(self, tenant_id: str, wanted: CreditGrantCreate) -> CreditGrant:
        """Give a tenant credit; for the operator."""
        return self._do(requests.give_credit(tenant_id, wanted))

    def refund_credit(self, tenant_id: str, grant_id: str) -> CreditGrant:
        """Take back what is left of bought credit; for the operator."""
        return self._do(requests.refund_credit(tenant_id, grant_id))

    def finish_top_up(self, tenant_id: str, top_up_id: str, outcome: TopUpOutcome) -> TopUp:
        """Say what became of a payment; for the operator."""
        return self._do(requests.finish_top_up(tenant_id, top_up_id, outcome))


class AsyncWalletMethods(AsyncSender):
    """Those of the asynchronous client."""

    async def wallet(self, at: datetime | None = None, tenant: str | None = None) -> WalletBalance:
        """What the wallet holds, or held at an instant; another ``tenant``'s, for the operator."""
        return await self._do(requests.wallet(at, tenant))

    async def set_wallet(self, wanted: WalletSettings) -> WalletBalance:
        """Set when the wallet buys more by itself, and when it warns."""
        return await self._do(requests.set_wallet(wanted))

    async def ledger(self) -> list[LedgerEntry]:
        """What was done with credit, newest first."""
        return await self._all(requests.ledger())

    async def ledger_page(
        self, *, cursor: str | None = None, limit: int = 50, tenant: str | None = None
    ) -> Page[LedgerEntry]:
        """One page of it, 200 at most; of another ``tenant``, for the operator."""
        return await self._do(requests.ledger(tenant, limit).page(cursor))

    async def grants(self, tenant: str | None = None) -> list[CreditGrant]:
        """The credit that was given or bought; to another ``tenant``, for the operator."""
        return await self._all(requests.grants(tenant))

    async def top_ups(self) -> list[TopUp]:
        """What was asked to be bought, newest first."""
        return await self._all(requests.top_ups())

    async def top_up_page(
        self, *, cursor: str | None = None, limit: int = 50, tenant: str | None = None
    ) -> Page[TopUp]:
        """One page of it, 200 at most; of another ``tenant``, for the operator."""
        return await self._do(requests.top_ups(tenant, limit).page(cursor))

    async def waiting_top_ups(self) -> list[TenantTopUp]:
        """All tenants' top-ups that wait for their payment, oldest first; for the operator."""
        return await self._all(requests.waiting_top_ups())

    async def ask_for_top_up(self, wanted: TopUpCreate) -> TopUp:
        """Ask to buy credit; it is there once the operator has the payment."""
        return await self._do(requests.ask_for_top_up(wanted))

    async def give_credit(self, tenant_id: str, wanted: CreditGrantCreate) -> CreditGrant:
        """Give a tenant credit; for the operator."""
        return await self._do(requests.give_credit(tenant_id, wanted))

    async def refund_credit(self, tenant_id: str, grant_id: str) -> CreditGrant:
        """Take back what is left of bought credit; for the operator."""
        return await self._do(requests.refund_credit(tenant_id, grant_id))

    async def finish_top_up(self, tenant_id: str, top_up_id: str, outcome: TopUpOutcome) -> TopUp:
        """Say what became of a payment; for the operator."""
        return await self._do(requests.finish_top_up(tenant_id, top_up_id, outcome))
