"""Fees by the year or the quarter: asked for in one amount, when that begins. Pure.

Where their number changes, the rest of the year is asked for or given back; where a year ends, the
next is asked for. So a period in which nothing of this happens asks for nothing, all periods
together ask for the time that was covered and the rest of the year that still is, and nothing that
happens after a period changes what it asks for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.stretches import Stretch, term_fees
from backend.pricing.rating.years import PlanYears
from backend_client.types.plan_terms import Proration

_ZERO = Fraction(0)


class FeeOf(NamedTuple):
    """A charge of a plan version."""

    plan: str
    plan_version: int
    charge: str


@dataclass(frozen=True, slots=True)
class FeePart:
    """A time in which a fee was asked for ``many`` times, for ``share`` of the time it is for.

    Fewer than none are given back.
    """

    start: datetime
    end: datetime
    many: int
    share: Fraction


@dataclass(slots=True)
class YearlyFee:
    """What a period has of a yearly fee; 1 is the fee of a year, for one subscription or seat.

    ``asked`` is asked for, or given back if below zero: for the time from ``start`` to ``end``.
    Each change is one of ``parts``, with a span of its own. ``own`` is the part that covers the
    period itself, whenever it was asked for.
    """

    asked: Fraction = _ZERO
    own: Fraction = _ZERO
    start: datetime | None = None
    end: datetime | None = None
    parts: list[FeePart] = field(default_factory=list)

    def ask(self, many: int, share: Fraction, start: datetime, end: datetime) -> None:
        """Add ``share`` of a year, from ``start`` to ``end``, as ``many`` times what is asked."""
        if many and share:
            self.asked += many * share
            self.start = min(self.start or start, start)
            self.end = max(self.end or end, end)
            self.parts.append(FeePart(start, end, many, share))

    def itemized(self) -> tuple[FeePart, ...]:
        """Return the parts where there is more to say than that whole fees begin."""
        whole = len(self.parts) == 1 and self.parts[0].share == 1
        return () if whole else tuple(self.parts)


class _Held(NamedTuple):
    """How many times a subscription has a fee, and the years that it is for."""

    many: int
    years: PlanYears
    by_day: bool

    def passed(self, moment: datetime) -> Fraction:
        return self.years.passed(moment, by_day=self.by_day)


def yearly_fees(stretches: Sequence[Stretch], period: BillingPeriod) -> dict[FeeOf, YearlyFee]:
    """Return what a period has of each yearly fee. Its ``stretches`` are in the order of time."""
    fees: defaultdict[FeeOf, YearlyFee] = defaultdict(YearlyFee)
    before = stretches[0].before if stretches else None
    for stretch in stretches:
        if before is not None and before.end < stretch.start:
            _change(fees, before, None, before.end, period)
            before = None
        _change(fees, before, stretch, stretch.start, period)
        before = stretch
    if before is not None and before.end < period.end:
        _change(fees, before, None, before.end, period)
    return dict(fees)


def _change(
    fees: defaultdict[FeeOf, YearlyFee],
    before: Stretch | None,
    after: Stretch | None,
    at: datetime,
    period: BillingPeriod,
) -> None:
    """Count the change at ``at`` from ``before`` to ``after``, and the time of ``after``."""
    had, has = _fees_held(before, period), _fees_held(after, period)
    for fee, held in (had | has).items():
        now = held.many if fee in has else 0
        more = now - (had[fee].many if fee in had else 0)
        reached = held.passed(at)
        year = ceil(reached)
        fees[fee].ask(more, year - reached, at, held.years.start(year))
        if now and after is not None:
            passed = held.passed(after.end)
            years = ceil(passed) - year  # that begin within it
            start, end = held.years.start(year), held.years.start(year + years)
            fees[fee].ask(now, Fraction(years), start, end)
            fees[fee].own += now * (passed - reached)


def _fees_held(stretch: Stretch | None, period: BillingPeriod) -> dict[FeeOf, _Held]:
    if stretch is None or stretch.plan is None or stretch.years_since is None or stretch.trial:
        return {}
    plan, since, by_day = stretch.plan, stretch.years_since, stretch.plan.proration is Proration.DAY
    return {
        FeeOf(plan.id, stretch.plan_version, charge.id): _Held(
            stretch.how_many(charge),
            PlanYears(since, period.time_zone, charge.cadence.months),
            by_day,
        )
        for charge in term_fees(plan)
    }
