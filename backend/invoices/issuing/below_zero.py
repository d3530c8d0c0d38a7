"""Whose money an invoice below zero returns: what given credit had paid goes back as credit.

Usage that is corrected down, or a period that closes for less than its parts, takes back what
earlier invoices of the period asked for. What comes back of them is money first, as with a credit
note, and only then the credit that nobody had paid for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.invoices.issuing.given_part import given_part
from backend.invoices.rules.lines import ITEM, ComposedLine
from backend.invoices.rules.methods import BALANCE, CREDIT
from backend.pricing.money import ZERO, exact_arithmetic, round_fraction
from backend.storage.tables import invoice_lines, invoices
from backend.wallets.given import GivenCredit
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import InvoiceKind, InvoiceState

_OF_PERIODS: Final = (InvoiceKind.PERIOD, InvoiceKind.PROGRESSIVE, InvoiceKind.REVERSAL)


class ComingBack(NamedTuple):
    """What an invoice below zero returns of an earlier one, by its ``number``, in minor units."""

    number: str
    money: Decimal
    given: Decimal
    credit: GivenCredit


class _Source(NamedTuple):
    number: str
    value: Decimal
    money: Decimal
    given: Decimal
    credit: GivenCredit


async def coming_back(
    connection: AsyncConnection,
    tenant: Tenant,
    row: Mapping[Any, Any],
    lines: Iterable[ComposedLine],
) -> list[ComingBack]:
    """Return what an invoice below zero returns of earlier ones, the last first.

    What is left of its total was never asked for: the operator's own lines, say. The earlier
    invoices are locked.
    """
    by_period: defaultdict[datetime, Decimal] = defaultdict(Decimal)
    with exact_arithmetic():
        for line in lines:
            if line.of.kind != ITEM:
                by_period[line.period.start] += line.amount
        less = {start: amount for start, amount in by_period.items() if amount < 0}
        left = min(-row["total"], _with_tax(row, -sum(less.values(), ZERO)))
        if left <= 0:
            return []
        sources = await _sources(connection, tenant, row["id"], list(less))
        shares: list[ComingBack] = []
        money: dict[str, Decimal] = {}
        for source in sources:
            money[source.number] = min(left, source.value, source.money)
            left -= money[source.number]
        for source in sources:
            first = money[source.number]
            given = min(left, source.value - first, source.given)
            left -= given
            if first or given:
                shares.append(ComingBack(source.number, first, given, source.credit))
    return shares


async def _sources(
    connection: AsyncConnection, tenant: Tenant, invoice_id: str, periods: Sequence[datetime]
) -> list[_Source]:
    asked = await _asked(connection, tenant, invoice_id, set(periods))
    query = (
        select(invoices)
        .where(
            invoices.c.tenant_id == tenant.id,
            invoices.c.id.in_(list(asked)),
            _counts(),
            invoices.c.total > 0,
        )
        .order_by(invoices.c.issued_at.desc(), invoices.c.id.desc())
        .with_for_update()
    )
    rows = (await connection.execute(query)).mappings().all()
    return [await _source(connection, tenant, row, asked[row["id"]]) for row in rows]


async def _asked(
    connection: AsyncConnection, tenant: Tenant, invoice_id: str, periods: set[datetime]
) -> dict[str, Decimal]:
    """Return what earlier invoices asked for of some periods, by their ids.

    And of those periods that lessened such an invoice: what it did not ask for, their own invoices
    had been paid.
    """
    by_period = (
        select(
            invoice_lines.c.invoice_id,
            invoice_lines.c.period_start,
            func.sum(invoice_lines.c.amount).label("amount"),
        )
        .join(
            invoices,
            (invoices.c.tenant_id == invoice_lines.c.tenant_id)
            & (invoices.c.id == invoice_lines.c.invoice_id),
        )
        .where(
            invoice_lines.c.tenant_id == tenant.id,
            invoice_lines.c.kind != ITEM,
            invoice_lines.c.invoice_id != invoice_id,
            _counts(),
        )
        .group_by(invoice_lines.c.invoice_id, invoice_lines.c.period_start)
        .having(func.sum(invoice_lines.c.amount) != 0)
    )
    about = by_period.subquery()
    while True:
        of_these = select(about.c.invoice_id).where(about.c.period_start.in_(periods))
        rows = await connection.execute(select(about).where(about.c.invoice_id.in_(of_these)))
        parts = rows.all()
        lessening = {part.period_start for part in parts if part.amount < 0}
        if lessening <= periods:
            break
        periods = periods | lessening
    asked: defaultdict[str, Decimal] = defaultdict(Decimal)
    for part in parts:
        if part.period_start in periods:
            asked[part.invoice_id] += part.amount
    return asked


def _counts() -> ColumnElement[bool]:
    return invoices.c.kind.in_([kind.value for kind in _OF_PERIODS]) & (
        invoices.c.state != InvoiceState.VOID.value
    )


async def _source(
    connection: AsyncConnection, tenant: Tenant, row: RowMapping, asked: Decimal
) -> _Source:
    given = await given_part(connection, tenant, row)
    money_back = -sum((back.amount for back in given.taken if back.method == BALANCE), ZERO)
    given_back = -sum((back.amount for back in given.taken if back.method == CREDIT), ZERO)
    # What is still to be paid is owed in money, which the balance may pay
    money = row["total"] - row["credited"] - given.left - money_back
    return _Source(
        row["number"],
        max(_with_tax(row, asked) - money_back - given_back, ZERO),
        max(money, ZERO),
        max(given.left - given_back, ZERO),
        given.credit,
    )


def _with_tax(row: Mapping[Any, Any], amount: Decimal) -> Decimal:
    """Return a part of an invoice's lines with its share of what the invoice adds to them."""
    if amount <= 0 or not row["subtotal"]:
        return max(amount, ZERO)
    share = Fraction(amount) * Fraction(row["total"]) / Fraction(row["subtotal"])
    return max(round_fraction(share, row["currency"]), ZERO)
