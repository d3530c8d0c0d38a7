"""How numbers, money and times read in the portal. Plain functions; no state, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from datetime import date as Date
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
MINOR_DIGITS = {"JPY": 0}
METER_NAMES = {
    "requests": "Requests",
    "input_tokens": "Input tokens",
    "cached_input_tokens": "Cached input tokens",
    "cache_write_tokens": "Cache write tokens",
    "cache_write_1h_tokens": "Cache write tokens (1 hour)",
    "audio_input_tokens": "Audio input tokens",
    "image_input_tokens": "Image input tokens",
    "output_tokens": "Output tokens",
    "reasoning_tokens": "Reasoning tokens",
    "audio_output_tokens": "Audio output tokens",
    "image_output_tokens": "Image output tokens",
    "images": "Images",
    "searches": "Searches",
    "characters": "Characters",
    "audio_seconds": "Audio seconds",
}
TOKEN_METERS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "audio_input_tokens",
    "image_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_output_tokens",
    "image_output_tokens",
)
_TEXT_METERS = frozenset(
    {"input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens"}
)


def money(amount: Decimal, currency: str) -> str:
    """An amount to the minor unit, half up, grouped by thousands: ``$1,234.50``.

    What the backend sends as money is rounded already and reads as it is.
    """
    places = Decimal(1).scaleb(-MINOR_DIGITS.get(currency, 2))
    rounded = amount.quantize(places, ROUND_HALF_UP)
    return _with_currency(f"{abs(rounded):,f}", currency, negative=rounded < 0)


def fine_money(amount: Decimal, currency: str) -> str:
    """An amount too small for the minor unit, to six decimals: ``$0.000123``, ``$0.00``."""
    places = Decimal("0.000001") if abs(amount) < 1 else Decimal("0.01")
    text = f"{abs(amount).quantize(places, ROUND_HALF_UP):,f}"
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0").ljust(2, "0")
    return _with_currency(f"{whole}.{fraction}", currency, negative=amount < 0)


def exact_money(amount: Decimal, currency: str) -> str:
    """An amount before it is rounded, to its last digit: ``$3.3123456``, ``$20.00``."""
    whole, _, fraction = f"{abs(amount):,f}".partition(".")
    shown = f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"
    return _with_currency(shown, currency, negative=amount < 0)


def count(quantity: Decimal | int) -> str:
    """A quantity in full, grouped by thousands: ``1,234,567``."""
    text = f"{Decimal(quantity):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def compact(quantity: Decimal | int) -> str:
    """A quantity to three digits: ``987``, ``12.3K``, ``4.56M``."""
    value = Decimal(quantity)
    for size, suffix in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        # 999,950 reads 1M, not 1,000K
        if value >= Decimal(size) * Decimal("0.9995"):
            scaled = value / size
            digits = 2 if scaled < Decimal("9.995") else 1 if scaled < Decimal("99.95") else 0
            text = f"{scaled:.{digits}f}"
            return (text.rstrip("0").rstrip(".") if "." in text else text) + suffix
    return count(value.quantize(Decimal(1), ROUND_HALF_UP)) if value >= 1 else count(value)


def unit_price(price: Decimal, unit_size: int, currency: str) -> str:
    """A price with what it buys: ``$0.15 per 1M``, ``$5.00 each``."""
    amount = f"{price:f}"
    whole, _, fraction = amount.partition(".")
    shown = _with_currency(f"{whole}.{fraction.rstrip('0').ljust(2, '0')}", currency)
    return f"{shown} each" if unit_size == 1 else f"{shown} per {compact(unit_size)}"


def meter_name(meter: str) -> str:
    """A meter as a person says it; an operator's own meter by its words."""
    return METER_NAMES.get(meter, meter.replace("_", " ").capitalize())


def meters_name(meters: Sequence[str]) -> str:
    """Meters that are summed, in a word if they are all the tokens there are."""
    if _TEXT_METERS <= set(meters) <= set(TOKEN_METERS):
        return "Tokens"
    first, *rest = [meter_name(meter) for meter in meters]
    return " + ".join([first, *(name.lower() for name in rest)])


def date(moment: datetime, time_zone: str) -> str:
    """A day in the tenant's time zone: ``24 Nov 2026``."""
    local = moment.astimezone(ZoneInfo(time_zone))
    return f"{local.day} {local:%b %Y}"


def day(value: Date) -> str:
    """A day of the calendar, in no time zone: ``24 Nov 2026``."""
    return f"{value.day} {value:%b %Y}"


def days(first: Date, last: Date) -> str:
    """Days of the calendar, both included: ``1 – 30 Nov 2026``; one alone as ``day``."""
    if first == last:
        return day(first)
    begin, end = (datetime.combine(value, time(), UTC) for value in (first, last))
    return period(begin, end + timedelta(days=1), "UTC")


def second(moment: datetime, time_zone: str) -> str:
    """A moment to the second, in the tenant's time zone: ``24 Nov 2026, 12:15:04``."""
    local = moment.astimezone(ZoneInfo(time_zone))
    return f"{local.day} {local:%b %Y, %H:%M:%S}"


def period(start: datetime, end: datetime, time_zone: str) -> str:
    """A period by its first and last day: ``1 – 30 Nov 2026``. ``end`` is exclusive."""
    zone = ZoneInfo(time_zone)
    first = start.astimezone(zone)
    last = (end - timedelta(microseconds=1)).astimezone(zone)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} – {last.day} {last:%b %Y}"
    if first.year == last.year:
        return f"{first.day} {first:%b} – {last.day} {last:%b %Y}"
    return f"{first.day} {first:%b %Y} – {last.day} {last:%b %Y}"


def size(number: int) -> str:
    """A number of bytes as people say it: ``1.5 MiB``."""
    amount, units = float(number), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 1024 and len(units) > 1:
        amount, units = amount / 1024, units[1:]
    return f"{amount:.0f} {units[0]}" if units[0] == "bytes" else f"{amount:.1f} {units[0]}"


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, in one unit: ``just now``, ``5 minutes ago``, ``3 days ago``."""
    seconds = int((now - moment).total_seconds())
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"


def initials(name: str) -> str:
    """Up to two letters that stand for a name."""
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(
        word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words)
    ).upper()


def _with_currency(text: str, currency: str, *, negative: bool = False) -> str:
    sign = "−" if negative else ""
    symbol = SYMBOLS.get(currency)
    return f"{sign}{symbol}{text}" if symbol else f"{sign}{text} {currency}"
