"""What the current billing period has cost so far, rated from rollups as the invoice will be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.metering.queries.rated_usage import period_usage
from backend.pricing.charges.kinds import first_price
from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.charges.windows import cut_at_windows
from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.adjustments import Adjustment
from backend.pricing.rating.contract import ContractPeriod, apply_contract, counted
from backend.pricing.rating.coupons import CouponTerms
from backend.pricing.rating.rated_period import RatedLine, RatedPeriod, Stretch, rate
from backend.storage.tables import usage_versions
from backend.subscriptions.contracts import (
    contract_in_force,
    contract_period,
    counted_meters,
    periods_before,
)
from backend.subscriptions.coupons import coupons_of
from backend.subscriptions.periods import period_at
from backend.subscriptions.stretches import plan_stretches
from backend_client.types.accounts import Tenant
from backend_client.types.common import Money
from backend_client.types.plans import FlatCharge, GraduatedCharge, VolumeCharge
from backend_client.types.spend import (
    Period,
    SpendAdjustment,
    SpendLine,
    SpendReport,
    TierSpend,
    UnpricedUsage,
)


@dataclass(frozen=True, slots=True)
class OpenPeriod:
    """A billing period with its plans and its usage so far. Rates without a database.

    ``version`` is the tenant's usage version that the usage contains at least. ``coupons`` and
    ``contract`` are those of the period.
    """

    period: BillingPeriod
    currency: str
    stretches: tuple[Stretch, ...]
    version: int
    coupons: tuple[CouponTerms, ...] = ()
    contract: ContractPeriod | None = None

    def rate(self, more: Iterable[MeteredQuantity] = ()) -> RatedPeriod:
        """Rate the period as if ``more`` was used before its end, on the plan that it ends with.

        A forecast calls this with simulated quantities, so that included units and tiers apply to
        them as they will apply to the bill.
        """
        *earlier, last = self.stretches
        return self._rate([*earlier, replace(last, usage=[*last.usage, *more])])

    def rate_with(self, usage: Iterable[Iterable[MeteredQuantity]]) -> RatedPeriod:
        """Rate the period with other usage than the metered: a collection for each stretch."""
        pairs = zip(self.stretches, usage, strict=True)
        return self._rate([replace(stretch, usage=list(used)) for stretch, used in pairs])

    def _rate(self, stretches: list[Stretch]) -> RatedPeriod:
        rated = rate(stretches, self.period, self.currency, self.coupons)
        return rated if self.contract is None else apply_contract(rated, stretches, self.contract)


async def spend_version(connection: AsyncConnection, tenant: Tenant, now: datetime) -> str:
    """Return a string that changes with anything in the spend report but its ``as_of``."""
    period = await period_at(connection, tenant, now)
    stretches = await plan_stretches(connection, tenant.id, period)
    usage = await _usage_version(connection, tenant.id)
    return _version(period, stretches, usage)


async def open_period(connection: AsyncConnection, tenant: Tenant, now: datetime) -> OpenPeriod:
    """Return the billing period that ``now`` is in, with its plans and usage so far."""
    return await metered_period(connection, tenant, await period_at(connection, tenant, now))


async def metered_period(
    connection: AsyncConnection, tenant: Tenant, period: BillingPeriod
) -> OpenPeriod:
    """Return any billing period of a tenant with its plans, usage, coupons and contract."""
    opened = await plain_period(connection, tenant, period)
    contract = await contract_in_force(connection, tenant.id, opened.period)
    if contract is None:
        return opened
    before: list[Decimal] = []
    for earlier in await periods_before(connection, tenant, contract, opened.period):
        past = await plain_period(connection, tenant, earlier)
        before.append(counted(past.rate(), past.stretches, counted_meters(contract)))
    contract_terms = await contract_period(connection, tenant, contract, opened.period, before)
    return replace(opened, contract=contract_terms)


async def plain_period(
    connection: AsyncConnection, tenant: Tenant, period: BillingPeriod
) -> OpenPeriod:
    """Return a billing period with its coupons, but without its contract."""
    own = await period_at(connection, tenant, period.start)
    if (own.start, own.end) == (period.start, period.end):
        period = own  # which says whether it was cut short
    # The version is read first: usage that arrives in between is read again, never missed.
    version = await _usage_version(connection, tenant.id)
    stretches = await plan_stretches(connection, tenant.id, period)
    return OpenPeriod(
        period,
        tenant.currency,
        await metered_stretches(connection, tenant.id, stretches),
        version,
        await coupons_of(connection, tenant, period),
    )


async def metered_stretches(
    connection: AsyncConnection, tenant_id: str, stretches: Sequence[Stretch]
) -> tuple[Stretch, ...]:
    """Return stretches with the usage of each, by the windows and labels of its plan."""
    usage = await period_usage(
        connection,
        tenant_id,
        [cut_at_windows(stretch.plan, stretch.start, stretch.end) for stretch in stretches],
        {
            name
            for stretch in stretches
            if stretch.plan is not None
            for name in stretch.plan.priced_labels
        },
    )
    pairs = zip(stretches, usage, strict=True)
    return tuple(replace(stretch, usage=tuple(used)) for stretch, used in pairs)


async def spend_report(
    connection: AsyncConnection,
    tenant: Tenant,
    now: datetime,
    more: Iterable[MeteredQuantity] = (),
) -> SpendReport:
    """Return the spend in the tenant's current billing period, by line.

    ``more`` is usage to rate beside the metered. Fees count from the first day, for the whole time
    in the period that the plan covers; those for a year count if the year begins in the period.
    """
    opened = await open_period(connection, tenant, now)
    return report(opened, opened.rate(more), now)


def report(opened: OpenPeriod, rated: RatedPeriod, now: datetime) -> SpendReport:
    """Return a rated period as the API's type."""
    return SpendReport(
        period=Period(
            start=opened.period.start, end=opened.period.end, time_zone=opened.period.time_zone
        ),
        as_of=now.astimezone(UTC),
        currency=rated.currency,
        lines=[_line(line, rated.currency) for line in rated.lines],
        adjustments=[_adjustment(adjustment, rated.currency) for adjustment in rated.adjustments],
        exact_total=rated.exact_total,
        total=Money(amount=rated.total, currency=rated.currency),
        unpriced=[
            UnpricedUsage(model=usage.model, meter=usage.meter, quantity=usage.quantity)
            for usage in rated.unpriced
        ],
        version=opened.version,
    )


def _line(line: RatedLine, currency: str) -> SpendLine:
    charge = line.charge
    price, unit_size = (charge.price, 1) if isinstance(charge, FlatCharge) else first_price(charge)
    return SpendLine(
        charge_id=charge.id,
        name=charge.name,
        kind=charge.kind,
        plan=line.plan,
        plan_version=line.plan_version,
        start=line.start,
        end=line.end,
        meters=[] if isinstance(charge, FlatCharge) else charge.meters,
        models=None if isinstance(charge, FlatCharge) else charge.models,
        labels={} if isinstance(charge, FlatCharge) else charge.labels,
        window=None if isinstance(charge, FlatCharge) else charge.window,
        quantity=line.quantity,
        included=line.included,
        billable=line.billable,
        unit_size=unit_size,
        cadence=charge.cadence if isinstance(charge, FlatCharge) else None,
        per=charge.per if isinstance(charge, FlatCharge) else None,
        price=None if isinstance(charge, GraduatedCharge | VolumeCharge) else price,
        tiers=[
            TierSpend(
                up_to=tier.up_to,
                quantity=tier.quantity,
                price=tier.price,
                amount=tier.amount,
                flat_fee=tier.flat_fee,
            )
            for tier in line.tiers
        ],
        exact=line.exact,
        amount=Money(amount=line.amount, currency=currency),
    )


def _adjustment(adjustment: Adjustment, currency: str) -> SpendAdjustment:
    return SpendAdjustment(
        kind=adjustment.kind,
        id=adjustment.id,
        name=adjustment.name,
        plan=adjustment.plan,
        plan_version=adjustment.plan_version,
        exact=adjustment.exact,
        amount=Money(amount=adjustment.amount, currency=currency),
    )


async def _usage_version(connection: AsyncConnection, tenant_id: str) -> int:
    query = select(usage_versions.c.version).where(usage_versions.c.tenant_id == tenant_id)
    return await connection.scalar(query) or 0


def _version(period: BillingPeriod, stretches: list[Stretch], usage: int) -> str:
    parts = [
        f"{stretch.plan.id if stretch.plan else ''}/{stretch.plan_version}/{stretch.end}"
        f"/{stretch.seats}/{dict(stretch.add_ons)}/{stretch.trial}/{stretch.years_since}"
        for following in stretches
        for stretch in (following.before, following)
        if stretch is not None
    ]
    parts_text = "|".join([str(period.start), period.time_zone, *parts])
    return f"{usage}-{blake2b(parts_text.encode(), digest_size=8).hexdigest()}"
