"""Bills recomputed by brute force: event by event, quarter hour by quarter hour, day by day.

It shares no code with the billing it checks: its own calendar, its own tiers, fractions instead of
decimals, and the list of what was done instead of the database.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from zoneinfo import ZoneInfo

QUARTER = timedelta(minutes=15)

PLANS: list[dict[str, object]] = [
    {"id": "free", "name": "Free"},
    {
        "id": "metered",
        "name": "Metered",
        "windows": [
            {
                "id": "night",
                "name": "Night",
                "time_zone": "Europe/Berlin",
                "start": "22:00",
                "end": "06:00",
            }
        ],
        "charges": [
            {"id": "fee", "name": "Fee", "kind": "flat", "price": "49.90"},
            {
                "id": "input",
                "name": "Input",
                "kind": "per_unit",
                "meters": ["input_tokens"],
                "price": "3.333333",
            },
            {
                "id": "night-input",
                "name": "Input at night",
                "kind": "per_unit",
                "meters": ["input_tokens"],
                "window": "night",
                "price": "1.7",
            },
            {
                "id": "output",
                "name": "Output",
                "kind": "graduated",
                "meters": ["output_tokens"],
                "included": "100000",
                "tiers": [
                    {"up_to": "400000", "price": "15"},
                    {"up_to": "900000", "price": "12.5", "flat_fee": "0.35"},
                    {"up_to": None, "price": "9.999999"},
                ],
            },
        ],
    },
    {
        "id": "team",
        "name": "Team",
        "proration": "day",
        "trial_days": 14,
        "charges": [
            {"id": "fee", "name": "Fee", "kind": "flat", "price": "100"},
            {"id": "seats", "name": "Seats", "kind": "flat", "per": "seat", "price": "19"},
            {
                "id": "tokens",
                "name": "Tokens",
                "kind": "volume",
                "meters": ["input_tokens", "output_tokens"],
                "tiers": [{"up_to": "500000", "price": "6"}, {"up_to": None, "price": "4"}],
            },
        ],
    },
    {
        "id": "yearly",
        "name": "Yearly",
        "trial_days": 5,
        "charges": [
            {"id": "fee", "name": "Fee", "kind": "flat", "cadence": "year", "price": "499.90"},
            {
                "id": "seats",
                "name": "Seats",
                "kind": "flat",
                "cadence": "year",
                "per": "seat",
                "price": "119",
            },
            {
                "id": "input",
                "name": "Input",
                "kind": "per_unit",
                "meters": ["input_tokens"],
                "price": "2.345678",
            },
        ],
    },
]
TRIALS = {"team": 14, "yearly": 5}
MILLION = 1_000_000


class Dice:
    """Numbers that look random and are the same in every run."""

    def __init__(self, seed: str) -> None:
        self._seed, self._thrown = seed, 0

    def below(self, limit: int) -> int:
        self._thrown += 1
        digest = blake2b(f"{self._seed}/{self._thrown}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % limit

    def one_of(self, *choices):
        return choices[self.below(len(choices))]


@dataclass(frozen=True)
class Use:
    """Tokens that an event tells of."""

    at: datetime
    meter: str
    tokens: int


@dataclass(frozen=True)
class Standing:
    """What a tenant is on, from a quarter hour on; ``plan`` None for ``paused`` or ended."""

    since: datetime
    plan: str | None
    seats: int = 1
    trial: bool = False
    paused: bool = False


@dataclass
class _Years:
    """Quarter hours of the fee and of seats that were had of a year, and the years before it."""

    length: int = 1
    fee: int = 0
    seats: int = 0
    before: tuple[Fraction, Fraction] = (Fraction(0), Fraction(0))

    def begin(self, length: int) -> None:
        self.before = self.so_far(0, 0)
        self.length, self.fee, self.seats = length, 0, 0

    def so_far(self, fee: int, seats: int) -> tuple[Fraction, Fraction]:
        """All years, with some more quarter hours of this one."""
        return (
            self.before[0] + Fraction(self.fee + fee, self.length),
            self.before[1] + Fraction(self.seats + seats, self.length),
        )


@dataclass
class Life:
    """A tenant's year, as the test lived it."""

    zone: str
    anchor: int
    standings: list[Standing] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    _asked: dict[datetime, tuple[Fraction, Fraction]] = field(default_factory=dict)

    @cached_property
    def _in_order(self) -> tuple[list[datetime], list[Standing]]:
        """The standings by their time, and their times; made once the year has been lived."""
        by_time: dict[datetime, Standing] = {}
        for standing in self.standings:
            by_time.setdefault(standing.since, standing)
        times = sorted(by_time)
        return times, [by_time[time] for time in times]

    def at(self, moment: datetime) -> Standing:
        times, standings = self._in_order
        past = bisect_right(times, moment)
        return standings[past - 1] if past else Standing(moment, None)

    def periods(self, year: int) -> list[tuple[datetime, datetime]]:
        zone = ZoneInfo(self.zone)
        starts = []
        for index in range(13):
            this_year, month = year + index // 12, index % 12 + 1
            day = min(self.anchor, monthrange(this_year, month)[1])
            local = datetime.combine(date(this_year, month, day), time(), zone)
            starts.append(local.astimezone(UTC))
        return list(pairwise(starts))

    def bill(self, start: datetime, end: datetime) -> Fraction:
        """Return what a period costs."""
        owed: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
        self._fees(start, end, owed)
        self._yearly(start, end, owed)
        self._tokens(start, end, owed)
        return sum((_cents(amount) for amount in owed.values()), Fraction(0))

    def _fees(self, start: datetime, end: datetime, owed: dict) -> None:
        owed["metered", "fee"] += Fraction("49.90") * self._metered_part(start, end)
        zone = ZoneInfo(self.zone)
        day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
        days = (last - day).days
        while day < last:
            day += timedelta(days=1)
            midnight = datetime.combine(day, time(), zone).astimezone(UTC)
            standing = self.at(midnight - QUARTER)
            if standing.plan == "team" and not standing.trial:
                owed["team", "fee"] += Fraction(100, days)
                owed["team", "seats"] += Fraction(19 * standing.seats, days)

    def _metered_part(self, start: datetime, end: datetime) -> Fraction:
        """How much of a period is on the plan that is metered, which has its part of all."""
        quarters = (end - start) // QUARTER
        edges = [start, *(at for at in self._in_order[0] if start < at < end), end]
        metered = sum(
            _quarters_until(last, start) - _quarters_until(first, start)
            for first, last in pairwise(edges)
            if self.at(first).plan == "metered"
        )
        return Fraction(metered, quarters)

    def _yearly(self, start: datetime, end: datetime, owed: dict) -> None:
        """Ask for what is asked for by the end of the period and was not by its start."""
        if not any(standing.plan == "yearly" for standing in self.standings):
            return
        if not self._asked:
            self._walk_years()
        (fee, seats), (fee_then, seats_then) = self._asked[end], self._asked[start]
        owed["yearly", "fee"] += (fee - fee_then) * Fraction("499.90")
        owed["yearly", "seats"] += (seats - seats_then) * 119

    def _walk_years(self) -> None:
        """Walk the quarter hours; note, where periods begin, how many years were asked for so far.

        Those until the next period, change or year are one step, for they are all alike.
        That is, for the fee and for the seats, what was had of each year, and what would be if
        nothing changed until the end of the one that runs.
        """
        marks = {
            moment for year in (2028, 2029) for period in self.periods(year) for moment in period
        }
        standings = sorted(self.standings, key=lambda standing: standing.since)
        now = Standing(standings[0].since, None)
        begun: datetime | None = None
        moment = end = min(standings[0].since, *marks)
        last = max(marks)
        years = _Years()
        while moment <= last:
            if moment in marks:
                left = (end - moment) // QUARTER if begun and now.plan == "yearly" else 0
                self._asked[moment] = years.so_far(left, left * now.seats)
            while standings and standings[0].since <= moment:
                now = standings.pop(0)
            had = now.plan == "yearly" and not now.trial
            if had and (begun is None or moment >= end):
                begun = begun or moment
                start, end = _year_of(begun, moment, ZoneInfo(self.zone))
                years.begin((end - start) // QUARTER)
            elif not had and not now.paused:
                begun = None
            ahead = (end, *marks, *(standing.since for standing in standings[:1]))
            until = min((at for at in ahead if at > moment), default=moment + QUARTER)
            quarters = _quarters_until(until, moment)
            if had:
                years.fee += quarters
                years.seats += quarters * now.seats
            moment += quarters * QUARTER

    def _tokens(self, start: datetime, end: datetime, owed: dict) -> None:
        output = volume = 0
        free = int(100_000 * self._metered_part(start, end))
        for use in sorted(self.uses, key=lambda use: use.at):
            if not start <= use.at < end:
                continue
            standing = self.at(use.at)
            if standing.plan == "metered" and use.meter == "input_tokens":
                quarter = use.at - timedelta(minutes=use.at.minute % 15, seconds=use.at.second)
                hour = quarter.astimezone(ZoneInfo("Europe/Berlin")).hour
                name, price = (
                    ("night-input", "1.7") if hour >= 22 or hour < 6 else ("input", "3.333333")
                )
                owed["metered", name] += Fraction(price) * use.tokens / MILLION
            elif standing.plan == "metered":
                owed["metered", "output"] += _climbed(free, output, output + use.tokens)
                output += use.tokens
            elif standing.plan == "team" and not standing.trial:
                volume += use.tokens
            elif standing.plan == "yearly" and not standing.trial and use.meter == "input_tokens":
                owed["yearly", "input"] += Fraction("2.345678") * use.tokens / MILLION
        if volume:
            owed["team", "tokens"] += Fraction(volume * (6 if volume <= 500_000 else 4), MILLION)


def _quarters_until(at: datetime, start: datetime) -> int:
    """How many quarter hours from ``start`` on begin before ``at``."""
    return -((start - at) // QUARTER)


def _climbed(free: int, before: int, after: int) -> Fraction:
    """What the units after ``before`` cost, up to ``after``: the first are free."""
    total = Fraction(0)
    edges = (
        (free, free + 400_000, Fraction(15), Fraction(0)),
        (free + 400_000, free + 900_000, Fraction("12.5"), Fraction("0.35")),
        (free + 900_000, None, Fraction("9.999999"), Fraction(0)),
    )
    for floor, ceiling, price, fee in edges:
        units = min(after, ceiling or after) - max(before, floor)
        if units > 0:
            total += units * price / MILLION
            if before <= floor:
                total += fee
    return total


def _year_of(begun: datetime, moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the year, counted from ``begun`` by the zone's clocks, that holds a moment."""
    local = begun.astimezone(zone)
    starts = []
    for year in range(local.year, local.year + 4):
        leap = year % 4 == 0
        day = 28 if (local.month, local.day) == (2, 29) and not leap else local.day
        there = datetime(year, local.month, day, local.hour, local.minute, tzinfo=zone)
        starts.append(begun if year == local.year else there.astimezone(UTC))
    return next((start, end) for start, end in pairwise(starts) if start <= moment < end)


def _cents(amount: Fraction) -> Fraction:
    cents = Fraction((abs(amount) * 200 + 1) // 2, 100)
    return -cents if amount < 0 else cents
