"""What most likely made a difference, from what the numbers on both sides have in common. Pure.

Each finder looks for one pattern and says what it saw. They are asked from the most particular to
the most general, and the first that recognises a difference names it; a guess would be worse than
``unknown``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate
from zoneinfo import ZoneInfo

from backend.metering.reconciliation.reading import Sums
from backend_client.types.common import plain
from backend_client.types.reconciliation import DiscrepancyCause as Cause
from backend_client.types.reconciliation import Tolerance

Place = tuple[date, str, str]
Told = tuple[Cause, str]
INPUT, CACHED, REQUESTS = "input_tokens", "cached_input_tokens", "requests"
_QUARTER = timedelta(minutes=15)
_OFFSETS = [timedelta(minutes=15 * step) for step in range(-56, 57) if step]
"""Every real offset from UTC is a multiple of a quarter hour, within fourteen hours."""
_ALIKE = Decimal("0.25")  # how far apart two shares may be that have one cause
_ABOUT = Decimal("0.05")


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
    """What causes are found from.

    ``failed`` counts the calls of a day and model that failed or were given up, which Farebox
    bills nobody for. ``series`` are the quarter hours that were metered. ``rates`` gives a price
    for one unit on a day, None where it is not known.
    """

    zone: ZoneInfo
    tolerance: Tolerance
    days: tuple[date, date]
    failed: Mapping[tuple[date, str], Decimal] = field(default_factory=dict)
    series: Mapping[tuple[str, str], Series] = field(default_factory=dict)
    rates: Callable[[date, str, str], Decimal | None] = lambda _day, _model, _meter: None

    def rate(self, day: date, model: str, meter: str) -> Decimal | None:
        """Return the price of one unit on a day, None if it is not known."""
        return self.rates(day, model, meter)


def causes_of_quantities(
    differences: Sequence[Difference], evidence: Evidence
) -> dict[Difference, Told]:
    """Name the likely cause of each difference, with a sentence that says what tells it."""
    at = {one.place: one for one in differences}
    shifts = _shifts(differences, evidence)
    names = _other_names(differences)
    return {
        one: (
            names.get(one.place[1])
            or _cached_as_fresh(one, at)
            or shifts.get((one.place[1], one.place[2]))
            or _retries(one, at, evidence)
            or _missing(one, at)
            or (Cause.UNKNOWN, "Nothing in the numbers tells why.")
        )
        for one in differences
    }


def _other_names(differences: Sequence[Difference]) -> dict[str, Told]:
    """Models that one side alone knows, whose quantities another of the other side alone has."""
    one_sided: dict[str, dict[tuple[date, str], Decimal]] = {}
    sides: dict[str, set[str]] = {}
    for one in differences:
        day, model, meter = one.place
        side = "provider" if one.metered == 0 else "metered" if one.provider == 0 else "both"
        sides.setdefault(model, set()).add(side)
        one_sided.setdefault(model, {})[day, meter] = max(one.provider, one.metered)
    theirs = [model for model, seen in sides.items() if seen == {"provider"}]
    ours = [model for model, seen in sides.items() if seen == {"metered"}]
    told: dict[str, Told] = {}
    for model in theirs:
        for other in ours:
            if one_sided[model] == one_sided[other]:
                told[model] = (
                    Cause.OTHER_NAME,
                    f"Farebox metered the same quantities as {other!r}: say in models that "
                    f"{model!r} is it.",
                )
                told[other] = (Cause.OTHER_NAME, f"The provider calls it {model!r}.")
    return told


def _cached_as_fresh(one: Difference, at: Mapping[Place, Difference]) -> Told | None:
    day, model, meter = one.place
    if meter not in (INPUT, CACHED):
        return None
    fresh, cached = at.get((day, model, INPUT)), at.get((day, model, CACHED))
    if fresh is None or cached is None or fresh.excess * cached.excess >= 0:
        return None
    moved = min(abs(fresh.excess), abs(cached.excess))
    if abs(fresh.excess + cached.excess) > _ABOUT * moved:
        return None
    if fresh.excess > 0:
        return (
            Cause.CACHED_AS_FRESH,
            f"The input as a whole agrees, but the provider took {plain(moved)} tokens for fresh "
            "that were metered as cached.",
        )
    return (
        Cause.CACHED_AS_FRESH,
        f"The input as a whole agrees, but {plain(moved)} tokens that the provider took for "
        "cached were metered as fresh.",
    )


def _retries(one: Difference, at: Mapping[Place, Difference], evidence: Evidence) -> Told | None:
    day, model, _ = one.place
    failed = evidence.failed.get((day, model), Decimal(0))
    requests = at.get((day, model, REQUESTS))
    if one.excess <= 0 or requests is None or failed == 0:
        return None
    if abs(requests.excess - failed) > max(Decimal(1), _ABOUT * failed):
        return None
    return (
        Cause.RETRIES_BILLED_TWICE,
        f"The provider counted {plain(requests.excess)} more calls, and {plain(failed)} calls of "
        "the day failed or were given up here: they were tried again, and counted both times.",
    )


def _missing(one: Difference, at: Mapping[Place, Difference]) -> Told | None:
    day, model, meter = one.place
    if one.excess < 0:
        return (
            Cause.METERED_ONLY,
            "Farebox metered more than the provider counted: another provider served it, the "
            "export leaves something out, or events were sent under two ids.",
        )
    requests = at.get((day, model, REQUESTS))
    share = one.excess / one.provider
    if one.metered == 0:
        return (Cause.MISSING_EVENTS, "Farebox has nothing of this day, model and meter.")
    if requests is None or meter == REQUESTS:
        if meter == REQUESTS:
            return (
                Cause.MISSING_EVENTS,
                f"{plain(one.excess)} of {plain(one.provider)} calls are not in Farebox.",
            )
        return None
    missing = requests.excess / requests.provider if requests.provider else Decimal(0)
    if requests.excess > 0 and abs(share - missing) <= _ALIKE * max(share, missing):
        return (
            Cause.MISSING_EVENTS,
            f"{_percent(share)} of it is not in Farebox, nor are {_percent(missing)} of the "
            "calls: their events never came.",
        )
    return None


def _shifts(differences: Sequence[Difference], evidence: Evidence) -> dict[tuple[str, str], Told]:
    """Models and meters whose days all agree once a day begins at another hour."""
    by_line: dict[tuple[str, str], list[Difference]] = {}
    for one in differences:
        by_line.setdefault((one.place[1], one.place[2]), []).append(one)
    told: dict[tuple[str, str], Told] = {}
    for line, off in by_line.items():
        series = evidence.series.get(line, ())
        # One day alone, or days that all lack something, can't be a matter of where days begin.
        if len(off) < 2 or not series or len({one.excess > 0 for one in off}) < 2:
            continue
        offset = _offset_that_agrees(off, series, evidence)
        if offset is not None:
            told[line] = (
                Cause.TIME_ZONE_CUT,
                f"Each day agrees if it begins {_clock(offset)} in {evidence.zone.key}: the "
                "export counts in another time zone's days.",
            )
    return told


def _offset_that_agrees(
    off: Sequence[Difference], series: Series, evidence: Evidence
) -> timedelta | None:
    moments = [moment for moment, _ in series]
    sums = [Decimal(0), *accumulate(quantity for _, quantity in series)]

    def between(start: datetime, end: datetime) -> Decimal:
        return sums[bisect_left(moments, end)] - sums[bisect_left(moments, start)]

    def disagreement(offset: timedelta) -> Decimal:
        worst = Decimal(0)
        for one in off:
            start, end = day_bounds(one.place[0], evidence.zone)
            shifted = between(start + offset, end + offset)
            larger = max(shifted, one.provider)
            worst = max(worst, abs(shifted - one.provider) / larger if larger else Decimal(0))
        return worst

    best = min(_OFFSETS, key=lambda offset: (disagreement(offset), abs(offset)))
    return best if disagreement(best) <= evidence.tolerance.relative else None


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first instant of a day in a zone and of the next; a day may last 23 hours."""
    start = datetime.combine(day, time(), zone)
    return start, datetime.combine(day + timedelta(days=1), time(), zone)


def cause_of_amount(
    place: Place,
    amount: Decimal,
    expected: Decimal | None,
    provided: Mapping[Place, Sums],
    metered: Mapping[Place, Decimal],
    difference: Difference | None,
    evidence: Evidence,
) -> Told:
    """Name the likely cause of a difference in money."""
    day, model, meter = place
    if expected is None:
        return (Cause.NO_RATE, f"There is no known rate for all that {model} used on {day}.")
    if difference is not None:
        return (Cause.QUANTITY_DIFFERS, "The quantities differ already; see there.")
    quantity = metered.get(place)
    sums = provided.get(place)
    rate = evidence.rate(day, model, meter)
    if meter == CACHED and amount > expected and quantity:
        fresh = evidence.rate(day, model, INPUT)
        if fresh is not None and _about(amount, quantity * fresh):
            return (
                Cause.CACHED_AS_FRESH,
                f"It is what {plain(quantity)} tokens cost as fresh input.",
            )
    if meter == INPUT and amount > expected:
        cached = metered.get((day, model, CACHED), Decimal(0))
        if cached and rate is not None and _about(amount, expected + cached * rate):
            return (
                Cause.CACHED_AS_FRESH,
                f"It is what the input costs if {plain(cached)} cached tokens are priced as fresh.",
            )
    if expected == 0 or not quantity or rate is None:
        return (Cause.UNKNOWN, "Nothing in the numbers tells why.")
    if sums is not None and sums.quantity is None and not _same_rate(place, provided, metered):
        return (Cause.UNKNOWN, "The amount fits neither the known rate nor one of other days.")
    paid = amount / expected
    return (
        Cause.RATE_CHANGE,
        f"The quantity at the known rate costs {_percent(abs(paid - 1))} "
        f"{'less' if paid > 1 else 'more'} than was billed: "
        f"{_money(amount / quantity * 1_000_000)} for a million, not {_money(rate * 1_000_000)}.",
    )


def _same_rate(
    place: Place, provided: Mapping[Place, Sums], metered: Mapping[Place, Decimal]
) -> bool:
    """Tell whether a neighbouring day was billed at the same price for a unit, or there is none."""
    day, model, meter = place
    own = provided[place].amount or Decimal(0)
    quantity = metered[place]
    others = []
    for step in (-1, 1):
        near = (day + timedelta(days=step), model, meter)
        sums, used = provided.get(near), metered.get(near)
        if sums is not None and sums.amount is not None and used:
            others.append(_about(own * used, sums.amount * quantity))
    return any(others) or not others


def _about(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= Decimal("0.01") * max(one, other)


def _percent(share: Decimal) -> str:
    return f"{plain((share * 100).quantize(Decimal('0.1')))} %"


def _money(value: Decimal) -> str:
    return plain(value.quantize(Decimal("0.0001")))


def _clock(offset: timedelta) -> str:
    minutes = abs(int(offset.total_seconds())) // 60
    side = "later" if offset > timedelta(0) else "earlier"
    return f"{minutes // 60}:{minutes % 60:02d} h {side} than midnight"
