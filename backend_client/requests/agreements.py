"""Requests about subscriptions' terms, contracts, coupons, plan versions and simulations."""

from __future__ import annotations

from backend_client.requests.call import Call, get, reader, segment, send
from backend_client.types.common import Page
from backend_client.types.contracts import (
    AmendmentCreate,
    Contract,
    ContractCreate,
    Coupon,
    CouponRedeem,
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


def pause_subscription(wanted: SubscriptionPause) -> Call[Subscription]:
    return send("POST", "/v1/subscription/pause", wanted, Subscription, repeatable=False)


def resume_subscription() -> Call[Subscription]:
    return Call("POST", "/v1/subscription/resume", reader(Subscription), repeatable=False)


def cancel_subscription(wanted: SubscriptionCancel) -> Call[Subscription]:
    return send("POST", "/v1/subscription/cancel", wanted, Subscription, repeatable=False)


def set_subscription(tenant_id: str, change: SubscriptionChange) -> Call[Subscription]:
    path = f"/v1/tenants/{segment(tenant_id)}/subscription"
    return send("PUT", path, change, Subscription, repeatable=True)


def set_billing_anchor(tenant_id: str, wanted: BillingAnchor) -> Call[Period]:
    path = f"/v1/tenants/{segment(tenant_id)}/billing-anchor"
    return send("PUT", path, wanted, Period, repeatable=True)


def simulate(asked: SimulationRequest, tenant_id: str | None) -> Call[Simulation]:
    path = "/v1/simulate" if tenant_id is None else f"/v1/tenants/{segment(tenant_id)}/simulate"
    return send("POST", path, asked, Simulation, repeatable=True)


def contracts() -> Call[Page[Contract]]:
    return get("/v1/contracts", Page[Contract])


def agree_contract(tenant_id: str, wanted: ContractCreate) -> Call[Contract]:
    # A second time it would overlap the first, which would be told as a failure.
    path = f"/v1/tenants/{segment(tenant_id)}/contracts"
    return send("POST", path, wanted, Contract, repeatable=False)


def amend_contract(tenant_id: str, contract_id: str, wanted: AmendmentCreate) -> Call[Contract]:
    path = f"/v1/tenants/{segment(tenant_id)}/contracts/{segment(contract_id)}/amendments"
    return send("POST", path, wanted, Contract, repeatable=False)


def coupons() -> Call[Page[Coupon]]:
    return get("/v1/coupons", Page[Coupon])


def make_coupon(coupon: Coupon) -> Call[Coupon]:
    return send("PUT", f"/v1/coupons/{segment(coupon.id)}", coupon, Coupon, repeatable=True)


def redeemed_coupons() -> Call[Page[RedeemedCoupon]]:
    return get("/v1/subscription/coupons", Page[RedeemedCoupon])


def redeem_coupon(coupon_id: str) -> Call[RedeemedCoupon]:
    wanted = CouponRedeem(coupon=coupon_id)
    return send("POST", "/v1/subscription/coupons", wanted, RedeemedCoupon, repeatable=True)


def plan_versions(plan_id: str) -> Call[Page[Plan]]:
    return get(f"/v1/plans/{segment(plan_id)}/versions", Page[Plan])


def plan_diff(plan_id: str, before: int, after: int) -> Call[PlanDiff]:
    path = f"/v1/plans/{segment(plan_id)}/diff"
    return Call("GET", path, reader(PlanDiff), {"before": before, "after": after})


def migrate_plan(
    plan_id: str, wanted: MigrationRequest, cursor: str | None
) -> Call[Page[MigratedTenant]]:
    path = f"/v1/plans/{segment(plan_id)}/migrations"
    call = send("POST", path, wanted, Page[MigratedTenant], repeatable=True)
    if cursor is None:
        return call
    return Call(call.method, path, call.read, {"cursor": cursor}, call.headers, call.content)
