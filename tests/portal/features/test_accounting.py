"""Months of the books as rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from backend_client.types.accounting import (
    BookEntry,
    EntryKind,
    EntryLine,
    RevenueKind,
    RevenueMonth,
)
from backend_client.types.common import Money
from portal.features.accounting.rows import (
    deferred_rows,
    line_rows,
    month_name,
    months_back,
    months_on,
    revenue_rows,
)

pytestmark = pytest.mark.fast

MARCH = date(2026, 3, 1)


def usd(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="USD")


def month_of(kind: RevenueKind, month: date = MARCH, recognized: str = "5.00") -> RevenueMonth:
    amounts = {name: usd("0.00") for name in ("additions", "released", "breakage", "closing")}
    return RevenueMonth(
        month=month,
        kind=kind,
        currency="USD",
        opening=usd(recognized),
        recognized=usd(recognized),
        **amounts,
    )


def test_months_to_choose_from() -> None:
    months = months_back(date(2026, 1, 31))
    assert [(month.id, month.name) for month in months[:3]] == [
        ("2026-01-01", "January 2026"),
        ("2025-12-01", "December 2025"),
        ("2025-11-01", "November 2025"),
    ]
    assert len(months) == 24
    assert months_on(date(2026, 12, 1), 11) == date(2027, 11, 1)
    assert month_name(MARCH) == "March 2026"


def test_revenue_by_kind_and_by_month() -> None:
    april = date(2026, 4, 1)
    rows = [
        month_of(RevenueKind.DEFERRED),
        month_of(RevenueKind.DEFERRED, april, "2.00"),
        month_of(RevenueKind.PREPAID, recognized="0.00"),
        month_of(RevenueKind.UNBILLED, april),
    ]
    [own] = revenue_rows(rows, MARCH)
    assert (own.kind, own.recognized, own.closing) == ("Deferred", "$5.00", "$0.00")
    assert [(row.month, row.recognized) for row in deferred_rows(rows)] == [
        ("March 2026", "$5.00"),
        ("April 2026", "$2.00"),
    ]


def test_an_entry_stands_with_its_first_line() -> None:
    entry = BookEntry(
        reference="FB-1",
        kind=EntryKind.INVOICE,
        booked_on=MARCH,
        tenant="ten_1",
        document="inv_1",
        currency="USD",
        lines=[
            EntryLine(account="Receivable", amount=usd("5.00"), text="Invoice FB-1"),
            EntryLine(account="Revenue", amount=usd("-5.00"), text="Invoice FB-1"),
        ],
    )
    first, second = line_rows([entry])
    assert (first.day, first.reference, first.debit, first.credit) == (
        *("1 Mar 2026", "FB-1", "$5.00", ""),
    )
    assert (second.day, second.reference, second.account, second.credit) == (
        *("", "", "Revenue", "$5.00"),
    )
