"""Billing platforms, for the operator; and where a tenant pays."""

from __future__ import annotations

from datetime import datetime

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import Call, delete, get, nothing, path, post, send, whole_list
from backend_client.queries import query
from backend_client.types.common import Page
from backend_client.types.platforms import (
    Dispatch,
    DispatchSkip,
    DispatchState,
    PaymentLink,
    PaymentMethod,
    PaymentOptions,
    PlanFit,
    PlatformBackfill,
    PlatformBackfilled,
    PlatformConnect,
    PlatformConnection,
    PlatformCursor,
    PlatformDrift,
    PlatformStatus,
    RemoteObject,
)


class AsyncPlatformsResource(AsyncResource):
    """Billing platforms, and which tenants they collect from; for the operator."""

    def list(self) -> AsyncPager[PlatformStatus]:
        """List the platforms, and how far each is behind."""
        return AsyncPager(self._sender, whole_list(path("platforms"), PlatformStatus))

    def cursors(
        self, platform: str, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[PlatformCursor]:
        """List how far each tenant's streams are sent."""
        at = path("platforms", platform, "cursors")
        call = get(at, Page[PlatformCursor], query(limit=limit, cursor=cursor))
        return AsyncPager(self._sender, call)

    async def plan_fit(self, platform: str, plan_id: str) -> PlanFit:
        """Ask whether a platform can rate a plan itself."""
        return await self._sender.send(get(path("platforms", platform, "plans", plan_id), PlanFit))

    def connections(self, *, tenant: str) -> AsyncPager[PlatformConnection]:
        """List which platforms collect or collected from a tenant, newest first."""
        return AsyncPager(
            self._sender, whole_list(path("platforms", tenant=tenant), PlatformConnection)
        )

    async def connect(self, connect: PlatformConnect, *, tenant: str) -> PlatformConnection:
        """Have a platform collect from a tenant."""
        at = path("platforms", tenant=tenant)
        return await self._sender.send(
            send("PUT", at, connect, PlatformConnection, repeatable=True)
        )

    async def disconnect(self, *, tenant: str) -> None:
        """Have no platform collect from a tenant."""
        await self._sender.send(delete(path("platforms", tenant=tenant), repeatable=True))

    async def backfill(self, since: datetime, *, tenant: str) -> PlatformBackfilled:
        """Queue the open invoices since an instant that the platform does not have."""
        at = path("platforms", "backfill", tenant=tenant)
        body = PlatformBackfill(since=since)
        return await self._sender.send(send("POST", at, body, PlatformBackfilled, repeatable=True))

    def dispatches(
        self,
        *,
        tenant: str | None = None,
        state: DispatchState | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPager[Dispatch]:
        """List what is sent to platforms, newest first."""
        params = query(tenant=tenant, state=state, limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(path("platform-dispatches"), Page[Dispatch], params))

    async def replay(self, dispatch_id: str) -> Dispatch:
        """Send again what was refused."""
        # A second time it is no more refused
        at = path("platform-dispatches", dispatch_id, "replay")
        return await self._sender.send(post(at, Dispatch, repeatable=False))

    async def skip(self, dispatch_id: str, reason: str) -> Dispatch:
        """Leave out what was refused, and say why."""
        # A second time it is no more refused
        at, body = path("platform-dispatches", dispatch_id, "skip"), DispatchSkip(reason=reason)
        return await self._sender.send(send("POST", at, body, Dispatch, repeatable=False))

    def all_connections(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[PlatformConnection]:
        """List which platform collects from which tenant, now or later."""
        params = query(limit=limit, cursor=cursor)
        call = get(path("platform-connections"), Page[PlatformConnection], params)
        return AsyncPager(self._sender, call)

    def objects(
        self, *, tenant: str, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[RemoteObject]:
        """List what platforms call a tenant's customer, invoices, meters and the like."""
        params = query(limit=limit, cursor=cursor)
        at = path("platforms", "objects", tenant=tenant)
        return AsyncPager(self._sender, get(at, Page[RemoteObject], params))

    async def compare(self, *, tenant: str) -> None:
        """Have both sides of a tenant compared now."""
        at = path("platforms", "compare", tenant=tenant)
        await self._sender.send(Call("POST", at, nothing))

    def drift(
        self, *, tenant: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPager[PlatformDrift]:
        """List what a platform has otherwise than Farebox."""
        params = query(tenant=tenant, limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(path("platform-drift"), Page[PlatformDrift], params))


class AsyncPaymentsResource(AsyncResource):
    """Where the tenant pays: pages of the billing platform that collects from it."""

    async def options(self) -> PaymentOptions:
        """Ask which platform collects from the tenant, if any does."""
        return await self._sender.send(get(path("payment-options"), PaymentOptions))

    async def invoice_link(self, invoice_id: str) -> PaymentLink:
        """Get the page on which an invoice is paid."""
        at = path("invoices", invoice_id, "payment-link")
        return await self._sender.send(post(at, PaymentLink, repeatable=True))

    async def top_up_link(self, top_up_id: str) -> PaymentLink:
        """Get the page on which a top-up is paid."""
        at = path("wallet", "top-ups", top_up_id, "payment-link")
        return await self._sender.send(post(at, PaymentLink, repeatable=True))

    def methods(self) -> AsyncPager[PaymentMethod]:
        """List what the tenant saved to be charged by."""
        return AsyncPager(self._sender, whole_list(path("payment-methods"), PaymentMethod))

    async def method_link(self) -> PaymentLink:
        """Get the page on which a payment method is saved."""
        return await self._sender.send(
            post(path("payment-methods", "link"), PaymentLink, repeatable=True)
        )

    async def portal_link(self) -> PaymentLink:
        """Get the tenant's own pages on the platform."""
        return await self._sender.send(
            post(path("billing-portal", "link"), PaymentLink, repeatable=True)
        )
