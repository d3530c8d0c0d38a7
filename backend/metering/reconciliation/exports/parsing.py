"""What every parser of exports uses: exact values, errors that say where, and bounded sums.

A parser refuses what it does not understand. It names the line and column of a CSV file, the path
of a JSON member (``data[0].results[2].input_tokens``), and what is wrong there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final
from zoneinfo import ZoneInfo

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.meters import CREDITS
from backend.pricing.money import EXACT, exact_arithmetic
from backend.pricing.periods import INSTANT

ALL: Final = "*"
"""Stands for every model, or every meter, where an export has only a sum."""
MAX_ENTRIES: Final = 200_000
"""Days x models x meters of one import: 400 days of 100 models, five meters each."""
_MAX_UNITS: Final = 18  # digits before the point: a quintillion
_MAX_DECIMALS: Final = 18
_MAX_AMOUNT_DECIMALS: Final = 30  # clouds divide a cent by their units
_FIRST_DAY: Final = date(2015, 1, 1)  # no provider sold tokens before
_YEARS: Final = range(1970, 2100)  # every zone has a day for these, and a day before


@dataclass(slots=True)
class Sums:
    """A provider's sums for a day, model and meter. None: it states none.

    ``tiers`` are the parts of the amount at other prices than the usual, by their tier.
    """

    quantity: Decimal | None = None
    amount: Decimal | None = None
    tiers: dict[str, Decimal] = field(default_factory=dict)

    def rows(self) -> Iterator[tuple[str, Decimal | None, Decimal | None]]:
        """Yield each tier with its quantity and its amount, the usual one (empty) first."""
        usual = self.amount
        with exact_arithmetic():
            for amount in self.tiers.values():
                usual = (usual or Decimal(0)) - amount
        if self.quantity is not None or usual or not self.tiers:
            yield "", self.quantity, usual
        for tier, amount in self.tiers.items():
            yield tier, None, amount


Key = tuple[date, str, str]
"""Day, the provider's name of the model, meter."""


@dataclass(slots=True)
class Export:
    """An export's sums by day, model and meter. ``add`` bounds their number."""

    zone: ZoneInfo
    sums: dict[Key, Sums] = field(default_factory=dict)
    currency: str | None = None
    days: tuple[date, date] | None = None

    @property
    def covered(self) -> tuple[date, date]:
        """The first and the last day of the export; raises ``UnreadableExport`` if it has none."""
        if self.days is None:
            raise UnreadableExport("line 1", "the export covers no day")
        return self.days

    def cover(self, day: date) -> None:
        """Record that the export covers a day, even one without usage."""
        first, last = self.days or (day, day)
        self.days = (min(first, day), max(last, day))

    def add(
        self,
        where: str,
        day: date,
        model: str,
        meter: str,
        *,
        quantity: Decimal | None = None,
        amount: Decimal | None = None,
        tier: str = "",
    ) -> None:
        """Add to a day, model and meter; to its credits if the amount is below zero.

        Raises ``UnreadableExport`` if there are too many.
        """
        self.cover(day)
        if amount is not None and amount < 0:
            if quantity is not None:
                self.add(where, day, model, meter, quantity=quantity)
            quantity, meter, tier = None, CREDITS, ""
        sums = self.sums.setdefault((day, model, meter), Sums())
        if len(self.sums) > MAX_ENTRIES:
            raise UnreadableExport(
                where, f"more than {MAX_ENTRIES:,} days, models and meters; import less at a time"
            )
        with exact_arithmetic():
            if quantity is not None:
                sums.quantity = (sums.quantity or Decimal(0)) + quantity
            if amount is not None:
                sums.amount = (sums.amount or Decimal(0)) + amount
                if tier:
                    sums.tiers[tier] = sums.tiers.get(tier, Decimal(0)) + amount

    def set_currency(self, where: str, given: object) -> None:
        """Set the currency's code; an export has one."""
        code = given.upper() if isinstance(given, str) else ""
        if len(code) != 3 or not code.isascii() or not code.isalpha():
            raise UnreadableExport(where, f"{given!r} is not the three-letter code of a currency")
        if self.currency not in (None, code):
            raise UnreadableExport(where, f"{code} after {self.currency}; import one at a time")
        self.currency = code

    def day_of(self, where: str, start: datetime, end: datetime | None) -> date:
        """Return the day in the export's time zone that contains the whole bucket."""
        day = start.astimezone(self.zone).date()
        if day < _FIRST_DAY or day > datetime.now(UTC).date() + timedelta(days=2):
            raise UnreadableExport(where, f"{day} is not a day on which tokens were sold")
        if end is not None:
            last = (end - INSTANT).astimezone(self.zone).date()
            if end <= start:
                raise UnreadableExport(where, "ends before it starts")
            if last != day:
                raise UnreadableExport(
                    where,
                    f"the bucket is longer than the day {day} in {self.zone.key}; export days, or "
                    "set time_zone to the one that the export counts in",
                )
        return day


def number(where: str, given: object, *, whole: bool = False, signed: bool = False) -> Decimal:
    """Return an exact number of a plausible size; a ``signed`` one is an amount or its correction.

    ``whole`` numbers may be written ``10.0``, as exports do, but not ``10.5``.
    """
    if isinstance(given, bool) or not isinstance(given, int | str | Decimal):
        raise UnreadableExport(where, f"{_shown(given)} is not a number")
    try:
        if isinstance(given, str) and (len(given) > 64 or "_" in given):
            raise InvalidOperation
        value = Decimal(given)
    except InvalidOperation:
        raise UnreadableExport(where, f"{_shown(given)} is not a number") from None
    if not value.is_finite():
        raise UnreadableExport(where, f"{_shown(given)} is not a number")
    if value < 0 and not signed:
        raise UnreadableExport(where, f"{_shown(given)} is negative")
    if not value:
        return Decimal(0)
    exponent = value.as_tuple().exponent
    if value.adjusted() >= _MAX_UNITS or not isinstance(exponent, int):
        raise UnreadableExport(where, f"{_shown(given)} is larger than any quantity can be")
    if whole and value != value.to_integral_value():
        raise UnreadableExport(where, f"{_shown(given)} is not a whole number")
    most = _MAX_AMOUNT_DECIMALS if signed else _MAX_DECIMALS
    if exponent < -most:
        value = _cut(where, value, given, most)
    return value


def _cut(where: str, value: Decimal, given: object, most: int) -> Decimal:
    """Drop trailing zeros; OpenAI's CSV writes twenty of them."""
    shorter = value.normalize(EXACT) if value.adjusted() >= -most else value
    exponent = shorter.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -most:
        raise UnreadableExport(where, f"{_shown(given)} has more than {most} decimals")
    return shorter


def text_of(where: str, given: object, *, longest: int = 200) -> str:
    """Return a text that is not empty, without control characters."""
    if not isinstance(given, str) or not given.strip():
        raise UnreadableExport(where, f"{_shown(given)} is not a name")
    if len(given) > longest or not given.isprintable():
        raise UnreadableExport(
            where, f"{_shown(given)} is not a name of up to {longest} characters"
        )
    return given.strip()


def meter_name(where: str, given: object) -> str:
    """Return a text that is the name of a meter, in lower case."""
    meter = text_of(where, given, longest=63)
    if not (meter[0].isalpha() and meter.replace("_", "").isalnum() and meter == meter.lower()):
        raise UnreadableExport(where, f"{given!r} is not the name of a meter; map it in meters")
    return meter


def tier_of(**flags: bool) -> str:
    """Return the name of a tier of prices: those that apply, such as ``batch+long_context``."""
    return "+".join(sorted(name for name, applies in flags.items() if applies))


def instant(where: str, given: object) -> datetime:
    """Return an instant from RFC 3339 text with an offset, or from seconds since 1970."""
    if isinstance(given, int) and not isinstance(given, bool):
        if not 0 <= given < 10_000_000_000:
            unit = "milliseconds? Seconds are expected" if given > 0 else "before 1970"
            raise UnreadableExport(where, f"{given} is not a time in seconds since 1970 ({unit})")
        return datetime.fromtimestamp(given, UTC)
    if isinstance(given, str) and len(given) <= 64:
        try:
            moment = datetime.fromisoformat(given.strip())
        except ValueError:
            raise UnreadableExport(where, f"{_shown(given)} is not an RFC 3339 time") from None
        if moment.tzinfo is None:
            raise UnreadableExport(where, f"{_shown(given)} has no offset from UTC")
        if moment.year not in _YEARS:
            raise UnreadableExport(where, f"{moment.date()} is not a day on which tokens were sold")
        return moment
    raise UnreadableExport(where, f"{_shown(given)} is not a time")


class _Ambiguous(dict[str, object]):
    """An object with a repeated name."""

    def __init__(self, pairs: Sequence[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.name = Counter(name for name, _ in pairs).most_common(1)[0][0]


def object_of(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object that ``members`` refuses if it repeats a name."""
    members_by_name = dict(pairs)
    return members_by_name if len(members_by_name) == len(pairs) else _Ambiguous(pairs)


def members(
    where: str, given: object, understood: Collection[str], ignored: Iterable[str]
) -> Mapping[str, object]:
    """Return an object, every member of which is in ``understood`` or ``ignored``."""
    if not isinstance(given, dict):
        raise UnreadableExport(where or "line 1", f"{_shown(given)} is not an object")
    if isinstance(given, _Ambiguous):
        raise UnreadableExport(f"{where}.{given.name}".lstrip(".")[:200], "occurs twice")
    for name in given:
        if name not in understood and name not in ignored:
            raise UnreadableExport(
                f"{where}.{name}".lstrip(".")[:200] or "a field without a name",
                "this field is not understood; list it in ignore_fields if it may be ignored",
            )
    return given


def _shown(given: object) -> str:
    if isinstance(given, int) and given.bit_length() > 512:
        return "a number of more than 150 digits"
    shown = repr(given)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
