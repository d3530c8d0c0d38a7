"""Prepaid credit."""

from __future__ import annotations

from datetime import datetime

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client._async.sender import AsyncSender
from backend_client.calls import create, get, path, post, send
from backend_client.queries import query
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


class AsyncLedgerResource(AsyncResource):
    """The wallet's ledger."""

    def list(
        self, *, tenant: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[LedgerEntry]:
        """List what was done with credit, newest first; another ``tenant``'s, for the operator."""
        at = path("wallet", "ledger", tenant=tenant)
        call = get(at, Page[LedgerEntry], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)


class AsyncGrantsResource(AsyncResource):
    """Credit that was given or bought."""

    def list(
        self, *, tenant: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[CreditGrant]:
        """List the grants; another ``tenant``'s, for the operator."""
        at = path("wallet", "grants", tenant=tenant)
        call = get(at, Page[CreditGrant], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def create(self, grant: CreditGrantCreate, *, tenant: str) -> CreditGrant:
        """Grant a tenant credit; for the operator."""
        at = path("wallet", "grants", tenant=tenant)
        return await self._sender.send(create(at, grant, CreditGrant))

    async def refund(self, grant_id: str, *, tenant: str) -> CreditGrant:
        """Take back what is left of bought credit; for the operator."""
        at = path("wallet", "grants", grant_id, "refund", tenant=tenant)
        return await self._sender.send(post(at, CreditGrant, repeatable=True))


class AsyncTopUpsResource(AsyncResource):
    """Purchases of credit."""

    def list(
        self, *, tenant: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[TopUp]:
        """List the top-ups, newest first; another ``tenant``'s, for the operator."""
        at = path("wallet", "top-ups", tenant=tenant)
        call = get(at, Page[TopUp], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    def waiting(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[TenantTopUp]:
        """List all tenants' top-ups that wait for payment, oldest first; for the operator."""
        call = get(path("top-ups"), Page[TenantTopUp], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def create(self, top_up: TopUpCreate, *, tenant: str | None = None) -> TopUp:
        """Ask to buy credit, which is there once the operator has the payment.

        ``tenant`` is another that credit is sold to; for the operator.
        """
        at = path("wallet", "top-ups", tenant=tenant)
        return await self._sender.send(create(at, top_up, TopUp))

    async def resolve(self, top_up_id: str, outcome: TopUpOutcome, *, tenant: str) -> TopUp:
        """Say what became of a top-up's payment; for the operator."""
        at = path("wallet", "top-ups", top_up_id, tenant=tenant)
        return await self._sender.send(send("PUT", at, outcome, TopUp, repeatable=True))


class AsyncWalletResource(AsyncResource):
    """A tenant's prepaid credit."""

    def __init__(self, sender: AsyncSender) -> None:
        super().__init__(sender)
        self.ledger = AsyncLedgerResource(sender)
        self.grants = AsyncGrantsResource(sender)
        self.top_ups = AsyncTopUpsResource(sender)

    async def get(self, *, at: datetime | None = None, tenant: str | None = None) -> WalletBalance:
        """Get what the wallet holds, or held ``at`` an instant.

        ``tenant`` is another's id or slug; for the operator.
        """
        call = get(path("wallet", tenant=tenant), WalletBalance, query(at=at))
        return await self._sender.send(call)

    async def update(self, settings: WalletSettings, *, tenant: str | None = None) -> WalletBalance:
        """Set when the wallet buys more on its own, and when it warns.

        ``tenant`` is another's id or slug; for the operator.
        """
        at = path("wallet", tenant=tenant)
        return await self._sender.send(send("PUT", at, settings, WalletBalance, repeatable=True))
