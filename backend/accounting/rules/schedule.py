"""Revenue month by month: opening + additions - released - recognized = closing. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from backend.accounting.rules.credit import rounded_months
from backend.accounting.rules.documents import BookedWallet
from backend.accounting.rules.revenue import Revenue, month_after
from backend.pricing.money import ZERO, exact_arithmetic, money
from backend_client.types.accounting import RevenueKind, RevenueMonth


class _Of(NamedTuple):
    currency: str
    kind: RevenueKind


@dataclass(slots=True)
class _Moved:
    additions: Decimal = ZERO
    released: Decimal = ZERO
    recognized: Decimal = ZERO
    breakage: Decimal = ZERO


@dataclass(slots=True)
class _Ledger:
    opening: Decimal = ZERO
    months: defaultdict[date, _Moved] = field(default_factory=lambda: defaultdict(_Moved))


def months_from(first: date, last: date) -> list[date]:
    """Return the months from ``first`` to ``last``, both included."""
    months = [first]
    while months[-1] < last:
        months.append(month_after(months[-1]))
    return months


def schedule(
    revenues: Iterable[Revenue],
    wallets: Iterable[BookedWallet],
    months: Sequence[date],
    provisional_from: date | None = None,
) -> list[RevenueMonth]:
    """Return the rows of ``months``, which follow one another, by currency and kind.

    ``provisional_from`` is the first month for which invoices are still to come.
    """
    ledgers: defaultdict[_Of, _Ledger] = defaultdict(_Ledger)
    with exact_arithmetic():
        for revenue in revenues:
            _count(revenue, ledgers, months)
        for wallet in wallets:
            _count_wallet(wallet, ledgers[_Of(wallet.currency, RevenueKind.PREPAID)], months)
        return [
            row
            for of, ledger in sorted(ledgers.items())
            for row in _rows(of, ledger, months, provisional_from)
        ]


def _count(revenue: Revenue, ledgers: defaultdict[_Of, _Ledger], months: Sequence[date]) -> None:
    deferred = ledgers[_Of(revenue.currency, RevenueKind.DEFERRED)]
    unbilled = ledgers[_Of(revenue.currency, RevenueKind.UNBILLED)]
    booked, first, last = revenue.booked, months[0], months[-1]
    before = revenue.recognized_before(booked)
    after = revenue.amount - before
    if booked < first:
        deferred.opening += revenue.amount - revenue.recognized_before(first)
    else:
        unbilled.opening -= revenue.recognized_before(first)
        if booked <= last:
            deferred.months[booked].additions += after
            unbilled.months[booked].additions += before
    for slot, share in revenue.shares.items():
        if first <= slot.month <= last:
            ledger = unbilled if slot.month < booked else deferred
            ledger.months[slot.month].recognized += share


def _count_wallet(wallet: BookedWallet, ledger: _Ledger, months: Sequence[date]) -> None:
    closing = ZERO
    for month in rounded_months(wallet):
        if month.month < months[0]:
            closing = month.closing
        elif month.month <= months[-1]:
            moved = ledger.months[month.month]
            moved.additions += month.sold
            moved.released += month.refunded + month.applied
            moved.recognized += month.burnt + month.expired
            moved.breakage += month.expired
    ledger.opening += closing


def _rows(
    of: _Of, ledger: _Ledger, months: Sequence[date], provisional_from: date | None
) -> Iterator[RevenueMonth]:
    opening = ledger.opening
    for month in months:
        moved = ledger.months[month]
        closing = opening + moved.additions - moved.released - moved.recognized
        yield RevenueMonth(
            month=month,
            kind=of.kind,
            currency=of.currency,
            opening=money(opening, of.currency),
            additions=money(moved.additions, of.currency),
            released=money(moved.released, of.currency),
            recognized=money(moved.recognized, of.currency),
            breakage=money(moved.breakage, of.currency),
            closing=money(closing, of.currency),
            provisional=provisional_from is not None and month >= provisional_from,
        )
        opening = closing
