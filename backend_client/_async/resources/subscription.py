"""What a tenant has subscribed to."""

from __future__ import annotations

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client._async.sender import AsyncSender
from backend_client.calls import get, path, post, send
from backend_client.types.common import Page
from backend_client.types.contracts import (
    AmendmentCreate,
    Contract,
    ContractCreate,
    CouponRedeem,
    RedeemedCoupon,
)
from backend_client.types.entitlements import Entitlements
from backend_client.types.spend import Period
from backend_client.types.subscription_preview import SubscriptionPreview
from backend_client.types.subscriptions import (
    BillingAnchor,
    Subscription,
    SubscriptionCancel,
    SubscriptionChange,
    SubscriptionPause,
)


class AsyncSubscriptionCouponsResource(AsyncResource):
    """The coupons that a tenant has redeemed. ``tenant`` is another's; for the operator."""

    def list(self, *, tenant: str | None = None) -> AsyncPager[RedeemedCoupon]:
        """List the coupons that the tenant has redeemed."""
        at = path("subscription", "coupons", tenant=tenant)
        return AsyncPager(self._sender, get(at, Page[RedeemedCoupon]))

    async def redeem(self, coupon_id: str, *, tenant: str | None = None) -> RedeemedCoupon:
        """Redeem a coupon, from the present period on."""
        at = path("subscription", "coupons", tenant=tenant)
        redemption = CouponRedeem.model_construct(coupon=coupon_id)  # the API says what is wrong
        call = send("POST", at, redemption, RedeemedCoupon, repeatable=True)
        return await self._sender.send(call)


class AsyncSubscriptionResource(AsyncResource):
    """A tenant's subscription to a plan. ``tenant`` is another's; for the operator."""

    def __init__(self, sender: AsyncSender) -> None:
        super().__init__(sender)
        self.coupons = AsyncSubscriptionCouponsResource(sender)

    async def get(self, *, tenant: str | None = None) -> Subscription:
        """Get the subscription with the plan in force."""
        return await self._sender.send(get(path("subscription", tenant=tenant), Subscription))

    async def update(
        self, change: SubscriptionChange, *, tenant: str | None = None
    ) -> Subscription:
        """Move to another plan; another ``tenant``, also by contract, for the operator."""
        at = path("subscription", tenant=tenant)
        return await self._sender.send(send("PUT", at, change, Subscription, repeatable=True))

    async def preview(
        self, change: SubscriptionChange, *, tenant: str | None = None
    ) -> SubscriptionPreview:
        """Say what a change would do to the present period, without making it."""
        at = path("subscription", "preview", tenant=tenant)
        return await self._sender.send(
            send("POST", at, change, SubscriptionPreview, repeatable=True)
        )

    async def pause(self, pause: SubscriptionPause, *, tenant: str | None = None) -> Subscription:
        """Pause: no fee runs, and no call is let through."""
        at = path("subscription", "pause", tenant=tenant)
        return await self._sender.send(send("POST", at, pause, Subscription, repeatable=False))

    async def resume(self, *, tenant: str | None = None) -> Subscription:
        """Resume a paused subscription."""
        at = path("subscription", "resume", tenant=tenant)
        return await self._sender.send(post(at, Subscription, repeatable=False))

    async def cancel(
        self, cancellation: SubscriptionCancel, *, tenant: str | None = None
    ) -> Subscription:
        """End the subscription, with its period or now."""
        at = path("subscription", "cancel", tenant=tenant)
        call = send("POST", at, cancellation, Subscription, repeatable=False)
        return await self._sender.send(call)

    async def set_billing_anchor(self, anchor: BillingAnchor, *, tenant: str) -> Period:
        """Set the day that a tenant's billing periods begin with; for the operator."""
        at = path("billing-anchor", tenant=tenant)
        return await self._sender.send(send("PUT", at, anchor, Period, repeatable=True))


class AsyncEntitlementsResource(AsyncResource):
    """What a tenant may do by its plan."""

    async def get(self, *, tenant: str | None = None) -> Entitlements:
        """Get what the tenant may do, and what is used of its quotas.

        ``tenant`` is the one to look at; for the operator.
        """
        return await self._sender.send(get(path("entitlements", tenant=tenant), Entitlements))


class AsyncContractsResource(AsyncResource):
    """What was agreed with a tenant beside its plan."""

    def list(self, *, tenant: str | None = None) -> AsyncPager[Contract]:
        """List the tenant's contracts; another ``tenant``'s, for the operator."""
        return AsyncPager(self._sender, get(path("contracts", tenant=tenant), Page[Contract]))

    async def create(self, contract: ContractCreate, *, tenant: str) -> Contract:
        """Agree a contract with a tenant; for the operator."""
        # A second time it would overlap the first, and be refused.
        at = path("contracts", tenant=tenant)
        return await self._sender.send(send("POST", at, contract, Contract, repeatable=False))

    async def amend(self, contract_id: str, amendment: AmendmentCreate, *, tenant: str) -> Contract:
        """Have a tenant commit to more; for the operator."""
        at = path("contracts", contract_id, "amendments", tenant=tenant)
        return await self._sender.send(send("POST", at, amendment, Contract, repeatable=False))
