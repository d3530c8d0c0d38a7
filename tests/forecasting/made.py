"""Histories and open periods made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from backend.forecasting.history import History, Mix, Series, period_days
from backend.forecasting.inputs import Candidate, ForecastJob
from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.periods import billing_period, day_start
from backend.pricing.rating.rated_period import Stretch
from backend.spend.open_period import OpenPeriod
from backend_client.types.plans import Plan, PlanDefinition

MODEL, METER = "large", "output_tokens"


def plan(**charge: object) -> PlanDefinition:
    """A plan with one charge for output tokens."""
    fields: dict[str, object] = {"id": "out", "name": "Output", "meters": [METER]}
    if "tiers" not in charge:
        fields |= {"kind": "per_unit", "price": "10"}
    return PlanDefinition.model_validate(
        {"id": "paid", "name": "Paid", "charges": [fields | charge]}
    )


def job(
    daily: Sequence[float],
    now: datetime,
    *plans: tuple[PlanDefinition, datetime],
    time_zone: str = "UTC",
    today: float | None = None,
    seed: int = 7,
    paths: int = 201,
    mixes: Sequence[Mix] | None = None,
    on_sale: Sequence[PlanDefinition] = (),
) -> ForecastJob:
    """A job for one series: ``daily`` complete days up to yesterday, at midday's profile.

    ``plans`` are the plans with where each begins; the first from the period's start.
    """
    zone = ZoneInfo(time_zone)
    period = billing_period(now, time_zone)
    day = now.astimezone(zone).date()
    midnight, tomorrow = (day_start(day + timedelta(days=n), zone) for n in (0, 1))
    elapsed = (now - midnight) / (tomorrow - midnight)
    used_today = today if today is not None else round(daily[-1] * elapsed) if daily else 0.0
    series = Series(MODEL, METER, tuple(map(float, daily)), used_today, 1 - elapsed, whole=True)
    history = History(day, elapsed, len(daily), (series,) if used_today or any(daily) else ())

    starts = [start for start in period_days(period) if start < midnight]
    amounts = {
        day_start(day - timedelta(days=back), zone): used
        for back, used in enumerate(reversed(daily), start=1)
    }
    bounds = [period.start, *(at for _, at in plans[1:]), period.end]

    def used_until(end: datetime) -> list[list[MeteredQuantity]]:
        used = []
        for start, stop in pairwise(bounds):
            total = sum(n for at, n in amounts.items() if start <= at < min(stop, end))
            used.append([MeteredQuantity(MODEL, METER, Decimal(int(total)))])
        return used

    amounts_so_far = used_until(now)
    place = next(n for n, stop in enumerate(bounds[1:]) if now < stop)
    amounts_so_far[place].append(MeteredQuantity(MODEL, METER, Decimal(int(used_today))))
    stretches = tuple(
        Stretch(definition, 1, start, stop, tuple(used))
        for (definition, _), start, stop, used in zip(
            plans, bounds, bounds[1:], amounts_so_far, strict=False
        )
    )
    ends = [*starts[1:], midnight] if starts else []
    spent = [(start, used_until(end)) for start, end in zip(starts, ends, strict=True)]
    opened = OpenPeriod(period, "USD", stretches, 5)
    so_far = [used for stretch in stretches for used in stretch.usage]
    candidates = [
        Candidate(Plan(definition=definition, version=1, published_at=now), so_far, {})
        for definition in on_sale
    ]
    return ForecastJob(
        opened,
        history,
        spent,
        mixes or [{} for _ in stretches],
        now,
        seed,
        candidates,
        paths,
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
