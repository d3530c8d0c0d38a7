"""The evidence for causes: the differences, and other numbers of both sides. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from backend.metering.reconciliation.meters import Place
from backend_client.types.common import plain
from backend_client.types.reconciliation import DiscrepancyCause, Tolerance

Explained = tuple[DiscrepancyCause, str]
"""A cause, and the sentence that explains it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A day, model and meter on which the quantities differ beyond the tolerance."""

    place: Place
    provider: Decimal
    metered: Decimal

    @property
    def excess(self) -> Decimal:
        """What the provider counted beyond what was metered."""
        return self.provider - self.metered


Series = Sequence[tuple[datetime, Decimal]]
"""A model's quarter hours of a meter in their order, from a day before to a day after."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Other numbers that causes are recognized by.

    ``failed`` counts the calls of a day and model that failed or were given up, which Farebox
    bills nobody for. ``series`` are the metered quarter hours. ``rates`` returns the price of one
    unit on a day, None if it is unknown; ``tier_rates`` that in a tier, such as ``batch``.
    """

    zone: ZoneInfo
    tolerance: Tolerance
    failed: Mapping[tuple[date, str], Decimal] = field(default_factory=dict)
    series: Mapping[tuple[str, str], Series] = field(default_factory=dict)
    rates: Callable[[date, str, str], Decimal | None] = lambda _day, _model, _meter: None

    tier_rates: Callable[[date, str, str, str], Decimal | None] = lambda _day, _model, _meter, _: (
        None
    )

    def rate(self, day: date, model: str, meter: str, tier: str = "") -> Decimal | None:
        """Return the price of one unit on a day, None if it is unknown."""
        if tier:
            return self.tier_rates(day, model, meter, tier)
        return self.rates(day, model, meter)


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first instant of a day in a zone and of the next; a day may last 23 hours."""
    start = datetime.combine(day, time(), zone)
    return start, datetime.combine(day + timedelta(days=1), time(), zone)


def percent(share: Decimal) -> str:
    """Format a share for people: ``12.5 %``."""
    return f"{plain((share * 100).quantize(Decimal('0.1')))} %"
