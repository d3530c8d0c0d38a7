"""Coupons: created by the operator, redeemed once by a tenant, and the periods they apply to."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.coupons import CouponTerms
from backend.storage.tables import coupon_redemptions, coupons
from backend.subscriptions.errors import (
    CouponCurrencyMismatch,
    CouponExpired,
    CouponIdTaken,
    CouponNotFound,
    CouponUsedUp,
)
from backend.subscriptions.periods import period_at
from backend_client.types.accounts import Tenant
from backend_client.types.contracts import Coupon, RedeemedCoupon
from backend_client.types.texts import AS_STORED


async def put_coupon(connection: AsyncConnection, coupon: Coupon) -> Coupon:
    """Create a coupon. Raises ``Conflict`` if another has the id: coupons never change."""
    definition = coupon.model_dump(mode="json")
    await connection.execute(
        insert(coupons).values(id=coupon.id, definition=definition).on_conflict_do_nothing()
    )
    query = select(coupons.c.definition).where(coupons.c.id == coupon.id)
    if Coupon.model_validate(await connection.scalar(query), context=AS_STORED) != coupon:
        raise CouponIdTaken(f"There is another coupon {coupon.id!r}, and a coupon never changes.")
    return coupon


async def list_coupons(connection: AsyncConnection) -> list[Coupon]:
    """Return all coupons, by id."""
    definitions = await connection.scalars(select(coupons.c.definition).order_by(coupons.c.id))
    return [Coupon.model_validate(definition, context=AS_STORED) for definition in definitions]


async def redeem(
    connection: AsyncConnection, tenant: Tenant, coupon_id: str, now: datetime
) -> RedeemedCoupon:
    """Redeem a coupon from the present period on. Redeeming it again returns the same.

    Raises ``NotFound``, and ``Conflict`` if it has expired, is used up, or is in another currency.
    """
    query = select(coupons.c.definition).where(coupons.c.id == coupon_id)
    definition = await connection.scalar(query)
    if definition is None:
        raise CouponNotFound(f"There is no coupon {coupon_id!r}.")
    coupon = Coupon.model_validate(definition, context=AS_STORED)
    period = await period_at(connection, tenant, now)
    ends_at = None
    if coupon.periods is not None:
        last = period
        for _ in range(coupon.periods - 1):
            last = await period_at(connection, tenant, last.end)
        ends_at = last.end
    redeemed = await connection.execute(
        insert(coupon_redemptions)
        .values(
            tenant_id=tenant.id,
            coupon_id=coupon.id,
            redeemed_at=now,
            starts_at=period.start,
            ends_at=ends_at,
        )
        .on_conflict_do_nothing()
        .returning(coupon_redemptions.c.coupon_id)
    )
    if redeemed.first() is not None:
        await _count_redemption(connection, coupon, tenant, now)
    return next(
        redemption
        for redemption in await redeemed_by(connection, tenant.id)
        if redemption.coupon == coupon
    )


async def _count_redemption(
    connection: AsyncConnection, coupon: Coupon, tenant: Tenant, now: datetime
) -> None:
    if coupon.currency is not None and coupon.currency != tenant.currency:
        raise CouponCurrencyMismatch(
            f"This coupon is in {coupon.currency}, and bills are in {tenant.currency}."
        )
    if coupon.redeem_by is not None and now > coupon.redeem_by:
        raise CouponExpired()
    most = coupon.max_redemptions
    not_used_up = true() if most is None else coupons.c.redeemed < most
    counted = await connection.execute(
        update(coupons)
        .where(coupons.c.id == coupon.id, not_used_up)
        .values(redeemed=coupons.c.redeemed + 1)
        .returning(coupons.c.id)
    )
    if counted.first() is None:
        raise CouponUsedUp()


async def redeemed_by(connection: AsyncConnection, tenant_id: str) -> list[RedeemedCoupon]:
    """Return the tenant's coupons in the order they were redeemed."""
    rows = await connection.execute(
        select(coupon_redemptions, coupons.c.definition)
        .join(coupons, coupons.c.id == coupon_redemptions.c.coupon_id)
        .where(coupon_redemptions.c.tenant_id == tenant_id)
        .order_by(coupon_redemptions.c.redeemed_at, coupon_redemptions.c.coupon_id)
    )
    return [
        RedeemedCoupon(
            coupon=Coupon.model_validate(row["definition"], context=AS_STORED),
            redeemed_at=row["redeemed_at"],
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
        )
        for row in rows.mappings()
    ]


async def coupons_of(
    connection: AsyncConnection, tenant: Tenant, period: BillingPeriod
) -> tuple[CouponTerms, ...]:
    """Return the coupons of a period, in the order in which they apply."""
    rows = await connection.execute(
        select(coupons.c.definition)
        .join(coupon_redemptions, coupons.c.id == coupon_redemptions.c.coupon_id)
        .where(
            coupon_redemptions.c.tenant_id == tenant.id,
            coupon_redemptions.c.starts_at <= period.start,
            or_(
                coupon_redemptions.c.ends_at.is_(None),
                coupon_redemptions.c.ends_at > period.start,
            ),
        )
        .order_by(coupon_redemptions.c.redeemed_at, coupon_redemptions.c.coupon_id)
    )
    applied = [
        Coupon.model_validate(definition, context=AS_STORED) for definition in rows.scalars()
    ]
    return tuple(
        CouponTerms(
            coupon.id,
            coupon.name,
            coupon.percent,
            coupon.amount,
            None if coupon.plans is None else frozenset(coupon.plans),
        )
        for coupon in applied
    )
