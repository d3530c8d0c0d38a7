"""From a rated period to the spend report of the wire. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from backend.pricing.charges.kinds import first_price
from backend.pricing.money import ZERO, prorate
from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.adjustments import Adjustment
from backend.pricing.rating.rated_period import RatedLine, RatedPeriod
from backend.spend.open_period import OpenPeriod
from backend_client.types.charges import FlatCharge
from backend_client.types.common import Money
from backend_client.types.spend import (
    FeeSpend,
    Period,
    SpendAdjustment,
    SpendLine,
    SpendReport,
    TierSpend,
    UnpricedUsage,
)


def report(opened: OpenPeriod, rated: RatedPeriod, now: datetime) -> SpendReport:
    """Return a rated period as the API's type. ``now`` is when its usage was read."""
    return SpendReport(
        period=period_of(opened.period),
        as_of=now.astimezone(UTC),
        currency=rated.currency,
        lines=[spend_line(line, rated.currency) for line in rated.lines],
        adjustments=[_adjustment(adjustment, rated.currency) for adjustment in rated.adjustments],
        exact_total=rated.exact_total,
        total=Money(amount=rated.total, currency=rated.currency),
        unpriced=[
            UnpricedUsage(model=usage.model, meter=usage.meter, quantity=usage.quantity)
            for usage in rated.unpriced
        ],
        version=opened.version,
    )


def period_of(period: BillingPeriod) -> Period:
    """Return a billing period as the API's type."""
    return Period(start=period.start, end=period.end, time_zone=period.time_zone)


def spend_line(line: RatedLine, currency: str) -> SpendLine:
    """Return a rated line as the API's type, with what its amount was computed from."""
    charge = line.charge
    fee = charge.price if isinstance(charge, FlatCharge) else ZERO
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
        in_advance=charge.in_advance if isinstance(charge, FlatCharge) else False,
        price=None if charge.priced_by == "tiers" else price,
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
        fee_parts=[
            FeeSpend(
                start=part.start,
                end=part.end,
                quantity=Decimal(part.many),
                share=prorate(Decimal(1), part.share),
                exact=prorate(fee, part.share * part.many),
            )
            for part in line.fee_parts
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
