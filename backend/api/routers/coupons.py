"""Coupons: created by the operator, redeemed by tenants."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from backend.accounts.audit.writing import NO_TENANT, record
from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.decimal_bodies import body_of
from backend.api.dependencies import ServicesNow, needs
from backend.api.path_parameters import CouponId
from backend.catalog.yaml_reading import parse_exactly
from backend.errors import InvalidInput
from backend.subscriptions.coupons import list_coupons, put_coupon, redeem, redeemed_by
from backend.subscriptions.errors import CouponNotFound
from backend_client.types.common import Page
from backend_client.types.contracts import Coupon, CouponRedeem, RedeemedCoupon

router = APIRouter(tags=["coupons"])

Reader = Annotated[Principal, Depends(needs(Permission.SPEND_READ))]
Changer = Annotated[Principal, Depends(needs(Permission.SUBSCRIPTION_WRITE))]
OperatorReader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Biller = Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))]


@router.get("/v1/coupons")
async def get_coupons(services: ServicesNow, caller: OperatorReader) -> Page[Coupon]:
    """List all coupons."""
    async with services.database.begin() as connection:
        return Page(items=await list_coupons(connection))


@router.put("/v1/coupons/{coupon_id}", openapi_extra=body_of(Coupon))
async def put_one_coupon(
    services: ServicesNow, caller: Biller, coupon_id: CouponId, request: Request
) -> Coupon:
    """Create a coupon. Doing it again does nothing; coupons never change."""
    coupon = parse_exactly(await request.body(), Coupon)
    if coupon.id != coupon_id:
        detail = "must be the id in the path"
        raise InvalidInput.of_field("id", detail)
    async with services.database.begin() as connection:
        put = await put_coupon(connection, coupon)
        terms = coupon.model_dump(mode="json", exclude_none=True)
        await record(
            connection, caller, "coupon.create", coupon.id, tenant_id=NO_TENANT, detail=terms
        )
        return put


@router.get("/v1/subscription/coupons")
async def get_redeemed(services: ServicesNow, caller: Reader) -> Page[RedeemedCoupon]:
    """List the coupons that the tenant has redeemed."""
    async with services.database.begin() as connection:
        return Page(items=await redeemed_by(connection, caller.tenant_id))


@router.post("/v1/subscription/coupons", status_code=201)
async def post_redemption(
    services: ServicesNow, caller: Changer, wanted: CouponRedeem
) -> RedeemedCoupon:
    """Redeem a coupon, from the present period on. Doing it again does nothing."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, caller.tenant_id)
        with services.guesses.slowed("coupon", caller.tenant_id, CouponNotFound):
            redeemed = await redeem(connection, tenant, wanted.coupon, now_of(tenant))
        await record(connection, caller, "coupon.redeem", wanted.coupon)
        return redeemed
