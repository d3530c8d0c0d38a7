"""Bills recomputed by brute force: event by event, quarter hour by quarter hour, day by day.

It shares no code with the billing it checks: its own calendar, its own tiers, fractions instead of
decimals, and the list of what was done instead of the database.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
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
]
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
    """What a tenant is on, from a quarter hour on; ``plan`` None for paused or ended."""

    since: datetime
    plan: str | None
    seats: int = 1
    trial: bool = False


@dataclass
class Life:
    """A tenant's year, as the test lived it."""

    zone: str
    anchor: int
    standings: list[Standing] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)

    def at(self, moment: datetime) -> Standing:
        known = [one for one in self.standings if one.since <= moment]
        return max(known, key=lambda one: one.since) if known else Standing(moment, None)

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
        self._tokens(start, end, owed)
        return sum((_cents(amount) for amount in owed.values()), Fraction(0))

    def _fees(self, start: datetime, end: datetime, owed: dict) -> None:
        moment = start
        quarters = (end - start) // QUARTER
        while moment < end:
            standing = self.at(moment)
            if standing.plan == "metered":
                owed["metered", "fee"] += Fraction("49.90") / quarters
            moment += QUARTER
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

    def _tokens(self, start: datetime, end: datetime, owed: dict) -> None:
        output = volume = 0
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
                owed["metered", "output"] += _climbed(output, output + use.tokens)
                output += use.tokens
            elif standing.plan == "team" and not standing.trial:
                volume += use.tokens
        if volume:
            owed["team", "tokens"] += Fraction(volume * (6 if volume <= 500_000 else 4), MILLION)


def _climbed(before: int, after: int) -> Fraction:
    """What the units after ``before`` cost, up to ``after``: the first 100,000 are free."""
    total = Fraction(0)
    edges = (
        (100_000, 500_000, Fraction(15), Fraction(0)),
        (500_000, 1_000_000, Fraction("12.5"), Fraction("0.35")),
        (1_000_000, None, Fraction("9.999999"), Fraction(0)),
    )
    for floor, ceiling, price, fee in edges:
        units = min(after, ceiling or after) - max(before, floor)
        if units > 0:
            total += units * price / MILLION
            if before <= floor:
                total += fee
    return total


def _cents(amount: Fraction) -> Fraction:
    return Fraction((amount * 200 + 1) // 2, 100)
