"""The clients' methods for what is agreed beside the plan, and for what plans would cost."""

from __future__ import annotations

from backend_client.requests import agreements as requests
from backend_client.sending import AsyncSender, Sender
from backend_client.types.common import Page
from backend_client.types.contracts import (
    AmendmentCreate,
    Contract,
    ContractCreate,
    Coupon,
    RedeemedCoupon,
)
from backend_client.types.plan_versions import MigratedTenant, MigrationRequest, PlanDiff
from backend_client.types.plans import Plan
from backend_client.types.simulate import Simulation, SimulationRequest
from backend_client.types.spend import Period
from backend_client.types.subscriptions import (
    BillingAnchor,
    Subscription,
    SubscriptionCancel,
    SubscriptionChange,
    SubscriptionPause,
)


class AgreementMethods(Sender):
    """Those of the synchronous client."""

    def pause_subscription(self, wanted: SubscriptionPause) -> Subscription:
        """Pause: no fee runs, and no call is let through."""
        return self._do(requests.pause_subscription(wanted))

    def resume_subscription(self) -> Subscription:
        """Go on with a paused subscription."""
        return self._do(requests.resume_subscription())

    def cancel_subscription(self, wanted: SubscriptionCancel) -> Subscription:
        """End the subscription, with its period or now."""
        return self._do(requests.cancel_subscription(wanted))

    def set_subscription(self, tenant_id: str, change: SubscriptionChange) -> Subscription:
        """Move a tenant to a plan, also by contract; for the operator."""
        return self._do(requests.set_subscription(tenant_id, change))

    def set_billing_anchor(self, tenant_id: str, wanted: BillingAnchor) -> Period:
        """Set the day that a tenant's periods begin with; for the operator."""
        return self._do(requests.set_billing_anchor(tenant_id, wanted))

    def simulate(self, asked: SimulationRequest, tenant_id: str | None = None) -> Simulation:
        """What usage would cost on each plan; of a tenant, for the operator."""
        return self._do(requests.simulate(asked, tenant_id))

    def contracts(self) -> list[Contract]:
        """The tenant's contracts."""
        return self._all(requests.contracts())

    def agree_contract(self, tenant_id: str, wanted: ContractCreate) -> Contract:
        """Agree a contract with a tenant; for the operator."""
        return self._do(requests.agree_contract(tenant_id, wanted))

    def amend_contract(self, tenant_id: str, contract_id: str, wanted: AmendmentCreate) -> Contract:
        """Have a tenant commit to more; for the operator."""
        return self._do(requests.amend_contract(tenant_id, contract_id, wanted))

    def coupons(self) -> list[Coupon]:
        """All coupons; for the operator."""
        return self._all(requests.coupons())

    def make_coupon(self, coupon: Coupon) -> Coupon:
        """Make a coupon, which never changes; for the operator."""
        return self._do(requests.make_coupon(coupon))

    def redeemed_coupons(self) -> list[RedeemedCoupon]:
        """The coupons that the tenant has redeemed."""
        return self._all(requests.redeemed_coupons())

    def redeem_coupon(self, coupon_id: str) -> RedeemedCoupon:
        """Redeem a coupon, from the present period on."""
        return self._do(requests.redeem_coupon(coupon_id))

    def plan_versions(self, plan_id: str) -> list[Plan]:
        """All versions of a plan; for the operator."""
        return self._all(requests.plan_versions(plan_id))

    def plan_diff(self, plan_id: str, before: int, after: int) -> PlanDiff:
        """What changed between two versions; for the operator."""
        return self._do(requests.plan_diff(plan_id, before, after))

    def migrate_plan(
        self, plan_id: str, wanted: MigrationRequest, cursor: str | None = None
    ) -> Page[MigratedTenant]:
        """Move a page of tenants to the latest version, or preview it; for the operator."""
        return self._do(requests.migrate_plan(plan_id, wanted, cursor))


class AsyncAgreementMethods(AsyncSender):
    """Those of the asynchronous client."""

    async def pause_subscription(self, wanted: SubscriptionPause) -> Subscription:
        """Pause: no fee runs, and no call is let through."""
        return await self._do(requests.pause_subscription(wanted))

    async def resume_subscription(self) -> Subscription:
        """Go on with a paused subscription."""
        return await self._do(requests.resume_subscription())

    async def cancel_subscription(self, wanted: SubscriptionCancel) -> Subscription:
        """End the subscription, with its period or now."""
        return await self._do(requests.cancel_subscription(wanted))

    async def set_subscription(self, tenant_id: str, change: SubscriptionChange) -> Subscription:
        """Move a tenant to a plan, also by contract; for the operator."""
        return await self._do(requests.set_subscription(tenant_id, change))

    async def set_billing_anchor(self, tenant_id: str, wanted: BillingAnchor) -> Period:
        """Set the day that a tenant's periods begin with; for the operator."""
        return await self._do(requests.set_billing_anchor(tenant_id, wanted))

    async def simulate(self, asked: SimulationRequest, tenant_id: str | None = None) -> Simulation:
        """What usage would cost on each plan; of a tenant, for the operator."""
        return await self._do(requests.simulate(asked, tenant_id))

    async def contracts(self) -> list[Contract]:
        """The tenant's contracts."""
        return await self._all(requests.contracts())

    async def agree_contract(self, tenant_id: str, wanted: ContractCreate) -> Contract:
        """Agree a contract with a tenant; for the operator."""
        return await self._do(requests.agree_contract(tenant_id, wanted))

    async def amend_contract(
        self, tenant_id: str, contract_id: str, wanted: AmendmentCreate
    ) -> Contract:
        """Have a tenant commit to more; for the operator."""
        return await self._do(requests.amend_contract(tenant_id, contract_id, wanted))

    async def coupons(self) -> list[Coupon]:
        """All coupons; for the operator."""
        return await self._all(requests.coupons())

    async def make_coupon(self, coupon: Coupon) -> Coupon:
        """Make a coupon, which never changes; for the operator."""
        return await self._do(requests.make_coupon(coupon))

    async def redeemed_coupons(self) -> list[RedeemedCoupon]:
        """The coupons that the tenant has redeemed."""
        return await self._all(requests.redeemed_coupons())

    async def redeem_coupon(self, coupon_id: str) -> RedeemedCoupon:
        """Redeem a coupon, from the present period on."""
        return await self._do(requests.redeem_coupon(coupon_id))

    async def plan_versions(self, plan_id: str) -> list[Plan]:
        """All versions of a plan; for the operator."""
        return await self._all(requests.plan_versions(plan_id))

    async def plan_diff(self, plan_id: str, before: int, after: int) -> PlanDiff:
        """What changed between two versions; for the operator."""
        return await self._do(requests.plan_diff(plan_id, before, after))

    async def migrate_plan(
        self, plan_id: str, wanted: MigrationRequest, cursor: str | None = None
    ) -> Page[MigratedTenant]:
        """Move a page of tenants to the latest version, or preview it; for the operator."""
        return await self._do(requests.migrate_plan(plan_id, wanted, cursor))
