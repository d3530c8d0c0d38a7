"""How numbers, money and times read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from datetime import date as Date
from decimal import Decimal

import pytest

from portal.kit.formatting import (
    ago,
    compact,
    count,
    date,
    day,
    days,
    fine_money,
    initials,
    meter_name,
    money,
    period,
    size,
    unit_price,
)

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("amount", "currency", "reads"),
    [
        ("0", "USD", "$0.00"),
        ("1234.5", "USD", "$1,234.50"),
        ("0.005", "USD", "$0.01"),
        ("-3.10", "EUR", "−€3.10"),
        ("1200", "JPY", "¥1,200"),
        ("9.99", "CHF", "9.99 CHF"),
    ],
)
def test_money_reads_to_the_minor_unit(amount: str, currency: str, reads: str) -> None:
    assert money(Decimal(amount), currency) == reads


@pytest.mark.parametrize(
    ("amount", "reads"),
    [
        ("0", "$0.00"),
        ("0.000123456", "$0.000123"),
        ("0.1", "$0.10"),
        ("0.0000004", "$0.00"),
        ("12.3456", "$12.35"),
    ],
)
def test_fine_money_shows_what_a_cent_would_hide(amount: str, reads: str) -> None:
    assert fine_money(Decimal(amount), "USD") == reads


@pytest.mark.parametrize(
    ("quantity", "reads"),
    [
        ("0", "0"),
        ("987", "987"),
        ("999.6", "1K"),
        ("12345", "12.3K"),
        ("999949", "1M"),
        ("4560000", "4.56M"),
        ("100000000", "100M"),
        ("7200000000", "7.2B"),
        ("0.5", "0.5"),
    ],
)
def test_compact_keeps_three_digits(quantity: str, reads: str) -> None:
    assert compact(Decimal(quantity)) == reads


def test_count_is_exact() -> None:
    assert count(Decimal("12345678901234567890")) == "12,345,678,901,234,567,890"
    assert count(Decimal("1.500")) == "1.5"
    assert count(100) == "100"


@pytest.mark.parametrize(
    ("price", "unit_size", "reads"),
    [
        ("0.15", 1_000_000, "$0.15 per 1M"),
        ("0.0000015", 1_000, "$0.0000015 per 1K"),
        ("5", 1, "$5.00 each"),
    ],
)
def test_a_unit_price_keeps_every_digit(price: str, unit_size: int, reads: str) -> None:
    assert unit_price(Decimal(price), unit_size, "USD") == reads


def test_meters_have_names_and_so_have_an_operators_own() -> None:
    assert meter_name("cached_input_tokens") == "Cached input tokens"
    assert meter_name("gpu_seconds") == "Gpu seconds"


def test_days_are_the_tenants() -> None:
    late = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert date(late, "UTC") == "23 Nov 2026"
    assert date(late, "Europe/Berlin") == "24 Nov 2026"


def test_a_period_names_its_first_and_last_day() -> None:
    november = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    assert period(*november, "UTC") == "1 – 30 Nov 2026"
    assert period(*november, "America/New_York") == "31 Oct – 30 Nov 2026"
    year = (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC))
    assert period(*year, "UTC") == "1 Dec 2026 – 31 Jan 2027"


@pytest.mark.parametrize(
    ("seconds", "reads"),
    [(0, "just now"), (61, "1 minute ago"), (7200, "2 hours ago"), (86400 * 3, "3 days ago")],
)
def test_ago(seconds: int, reads: str) -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assert ago(now - timedelta(seconds=seconds), now) == reads


def test_initials() -> None:
    assert initials("Local developer") == "LD"
    assert initials("ada") == "A"
    assert initials("") == ""


@pytest.mark.parametrize(
    ("number", "reads"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (4 * 1024**3, "4.0 GiB")],
)
def test_sizes_read_in_the_unit_that_fits(number: int, reads: str) -> None:
    assert size(number) == reads


def test_days_of_the_calendar_read_as_moments_do() -> None:
    first, last = Date(2026, 2, 1), Date(2026, 2, 28)
    assert day(first) == "1 Feb 2026"
    assert days(first, first) == "1 Feb 2026"
    assert days(first, last) == "1 – 28 Feb 2026"
    assert days(first, Date(2026, 3, 2)) == "1 Feb – 2 Mar 2026"
    assert days(Date(2025, 12, 31), first) == "31 Dec 2025 – 1 Feb 2026"
