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
from backend_client.types.subscriptions import (
    BillingAnchor,
    Subscription,
    SubscriptionCancel,
    SubscriptionChange,
    SubscriptionPause,
)


class AsyncSubscriptionCouponsResource(AsyncResource):
    """The coupons that the tenant has redeemed."""

    def list(self) -> AsyncPager[RedeemedCoupon]:
        """List the coupons that the tenant has redeemed."""
        return AsyncPager(self._sender, get(path("subscription", "coupons"), Page[RedeemedCoupon]))

    async def redeem(self, coupon_id: str) -> RedeemedCoupon:
        """Redeem a coupon, from the present period on."""
        at = path("subscription", "coupons")
        redemption = CouponRedeem.model_construct(coupon=coupon_id)  # the API says what is wrong
        call = send("POST", at, redemption, RedeemedCoupon, repeatable=True)
        return await self._sender.send(call)


class AsyncSubscriptionResource(AsyncResource):
    """The tenant's subscription to a plan."""

    def __init__(self, sender: AsyncSender) -> None:
        super().__init__(sender)
        self.coupons = AsyncSubscriptionCouponsResource(sender)

    async def get(self) -> Subscription:
        """Get the subscription with the plan in force."""
        return await self._sender.send(get(path("subscription"), Subscription))

    async def update(
        self, change: SubscriptionChange, *, tenant: str | None = None
    ) -> Subscription:
        """Move to another plan; another ``tenant``, also by contract, for the operator."""
        at = path("subscription", tenant=tenant)
        return await self._sender.send(send("PUT", at, change, Subscription, repeatable=True))

    async def pause(self, pause: SubscriptionPause) -> Subscription:
        """Pause: no fee runs, and no call is let through."""
        at = path("subscription", "pause")
        return await self._sender.send(send("POST", at, pause, Subscription, repeatable=False))

    async def resume(self) -> Subscription:
        """Resume a paused subscription."""
        call = post(path("subscription", "resume"), Subscription, repeatable=False)
        return await self._sender.send(call)

    async def cancel(self, cancellation: SubscriptionCancel) -> Subscription:
        """End the subscription, with its period or now."""
        at = path("subscription", "cancel")
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

    def list(self) -> AsyncPager[Contract]:
        """List the tenant's contracts."""
        return AsyncPager(self._sender, get(path("contracts"), Page[Contract]))

    async def create(self, contract: ContractCreate, *, tenant: str) -> Contract:
        """Agree a contract with a tenant; for the operator."""
        # A second time it would overlap the first, and be refused.
        at = path("contracts", tenant=tenant)
        return await self._sender.send(send("POST", at, contract, Contract, repeatable=False))

    async def amend(self, contract_id: str, amendment: AmendmentCreate, *, tenant: str) -> Contract:
        """Have a tenant commit to more; for the operator."""
        at = path("contracts", contract_id, "amendments", tenant=tenant)
        return await self._sender.send(send("POST", at, amendment, Contract, repeatable=False))
