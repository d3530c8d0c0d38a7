"""Subscriptions to a plan with yearly fees, as rating sees them period by period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from backend.pricing.periods import BillingPeriod, billing_period
from backend.pricing.rating.rated_period import RatedPeriod, rate
from backend.pricing.rating.stretches import Stretch
from backend_client.types.charges import Cadence, FlatCharge, FlatPer
from backend_client.types.plans import PlanDefinition

QUARTER = timedelta(minutes=15)
FEE = FlatCharge(id="fee", name="Fee", price=Decimal(365), cadence=Cadence.YEAR)
SEATS = FlatCharge(
    id="seats",
    name="Seats",
    price=Decimal(73),
    cadence=Cadence.YEAR,
    per=FlatPer.SEAT,
    included=1,
)
HELP = FlatCharge(
    id="help", name="Help", price=Decimal("36.50"), cadence=Cadence.YEAR, per=FlatPer.ADD_ON
)


def plan(**changes: object) -> PlanDefinition:
    fields = {"id": "yearly", "name": "Yearly", "charges": [FEE, SEATS, HELP]}
    return PlanDefinition(**(fields | changes))


YEARLY = plan()


@dataclass(frozen=True)
class Standing:
    """What a subscription is from a moment on; no plan while it is paused."""

    since: datetime
    plan: PlanDefinition | None = YEARLY
    version: int = 1
    seats: int = 1
    add_ons: dict[str, int] = field(default_factory=dict)
    trial: bool = False


def lived(life: Sequence[Standing], period: BillingPeriod) -> list[Stretch]:
    """The stretches of a period in the life of a subscription to one plan."""
    taken_up = next(
        (standing.since for standing in life if standing.plan is not None and not standing.trial),
        None,
    )

    def stretch(standing: Standing, start: datetime, end: datetime) -> Stretch:
        since = None if standing.plan is None or standing.trial else taken_up
        more = {"seats": standing.seats, "add_ons": standing.add_ons, "trial": standing.trial}
        return Stretch(standing.plan, standing.version, start, end, **more, years_since=since)

    standings = [Standing(datetime.min.replace(tzinfo=UTC), None), *life]
    ends = [*(standing.since for standing in standings[1:]), datetime.max.replace(tzinfo=UTC)]
    stretches = [
        stretch(standing, max(standing.since, period.start), min(end, period.end))
        for standing, end in zip(standings, ends, strict=True)
        if standing.since < period.end and end > period.start
    ]
    (last,) = [
        standing
        for standing, end in zip(standings, ends, strict=True)
        if standing.since < period.start and end >= period.start
    ]
    before = stretch(last, period.start, period.start) if last.plan is not None else None
    return [replace(stretches[0], before=before), *stretches[1:]]


def day(number: int, year: int = 2026) -> datetime:
    """A day of the year, from 0 on."""
    return datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=number)


def months(first: datetime, count: int, zone: str = "UTC", anchor: int = 1) -> list[BillingPeriod]:
    periods = [billing_period(first, zone, anchor)]
    while len(periods) < count:
        periods.append(billing_period(periods[-1].end, zone, anchor))
    return periods


def bills(
    life: Sequence[Standing], periods: Sequence[BillingPeriod], **more: object
) -> list[RatedPeriod]:
    return [rate(lived(life, period), period, "USD", **more) for period in periods]
