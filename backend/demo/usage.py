"""Seeded sample usage, as events. Pure: the same arguments give the same events, on any day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zlib import crc32

import numpy as np

from backend.demo.tenants import SampleSeries, SampleTenant
from backend.pricing.periods import QUARTER_HOUR, day_start
from backend_client.types.events import UsageData, UsageEvent

SOURCE = "farebox-sample"
"""The source of all sample events.

Their ids name series and quarter hour, so repeats add nothing.
"""

_SPREAD_OF_TOKENS = 0.15


@dataclass(frozen=True, slots=True)
class Places:
    """The id of a tenant, and those of its applications and keys by name."""

    tenant: str
    applications: Mapping[str, str]
    keys: Mapping[str, str]


def sample_events(
    sample: SampleTenant, places: Places, *, start: datetime, until: datetime, seed: int
) -> Iterator[UsageEvent]:
    """Yield the tenant's usage from ``start`` to ``until``, day by day of its own calendar.

    An event sums a key's requests to a model in a quarter hour. The usage of a day doesn't depend
    on ``until``: a later load continues where an earlier one stopped.
    """
    zone = sample.zone
    first = start.astimezone(zone).date()
    day = first
    while (midnight := day_start(day, zone)) < until:
        for series in sample.series:
            for event in _day(sample, series, places, midnight, (day - first).days, seed):
                if event.time is not None and start <= event.time <= until:
                    yield event
        day += timedelta(days=1)


def _day(
    sample: SampleTenant,
    series: SampleSeries,
    places: Places,
    midnight: datetime,
    days: int,
    seed: int,
) -> Iterator[UsageEvent]:
    zone = sample.zone
    day = midnight.astimezone(zone).date()
    chance = np.random.default_rng(
        [seed, crc32(f"{sample.wanted.slug}/{series.name}".encode()), day.toordinal()]
    )
    level = _level(series, day, days, chance)
    slots = _slots(midnight, day_start(day + timedelta(days=1), zone))
    weights = [series.hours[slot.astimezone(zone).hour] for slot in slots]
    # A slot's share of an ordinary day: a day with 23 hours has less usage, not denser.
    means = level * np.array(weights) / (sum(series.hours) * 4)
    requests = chance.poisson(means)
    seconds = chance.integers(0, QUARTER_HOUR.seconds, len(slots))
    tokens = chance.lognormal(0.0, _SPREAD_OF_TOKENS, (2, len(slots)))
    for place in np.flatnonzero(requests):
        count = int(requests[place])
        taken = int(count * series.input_tokens * tokens[0, place])
        given = int(count * series.output_tokens * tokens[1, place])
        cached, reasoning = int(taken * series.cached), int(given * series.reasoning)
        quantities = {
            "requests": count,
            "input_tokens": taken - cached,
            "cached_input_tokens": cached,
            "output_tokens": given - reasoning,
            "reasoning_tokens": reasoning,
        }
        yield UsageEvent(
            id=f"{series.name}/{slots[place]:%Y-%m-%dT%H:%MZ}",
            source=SOURCE,
            subject=places.tenant,
            time=slots[place] + timedelta(seconds=int(seconds[place])),
            data=UsageData(
                application=places.applications[series.application],
                key=places.keys[series.key],
                model=series.model,
                quantities={meter: Decimal(n) for meter, n in quantities.items() if n},
            ),
        )


def _level(series: SampleSeries, day: date, days: int, chance: np.random.Generator) -> float:
    """A day's expected requests."""
    # Drawn in every case, so that a change of one figure does not shift other random numbers.
    idle, spread = chance.random() < series.idle, chance.lognormal(0.0, series.noise)
    if idle:
        return 0.0
    closing = (day + timedelta(days=2)).month != day.month
    return float(
        series.requests
        * (1 + series.growth * days)
        * series.weekdays[day.weekday()]
        * (series.month_end if closing else 1.0)
        * spread
    )


def _slots(start: datetime, end: datetime) -> list[datetime]:
    return [start + n * QUARTER_HOUR for n in range((end - start) // QUARTER_HOUR)]
