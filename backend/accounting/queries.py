"""The journal and the schedule of revenue, as the API shows them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import CompoundSelect, func, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounting.credit import read_wallets
from backend.accounting.errors import MonthsNotValid
from backend.accounting.gathering import BookMonths, read_accounts
from backend.accounting.rules.documents import BookedWallet
from backend.accounting.rules.entries import account_entries, wallet_entries
from backend.accounting.rules.journals import Journal
from backend.accounting.rules.revenue import Revenue, first_of, revenue_of
from backend.accounting.rules.schedule import months_from, schedule
from backend.accounting.terms import read_terms
from backend.kit.pages import Cursor
from backend.pricing.money import money
from backend.storage.tables import billing_cursors, invoices, tenants, test_clocks, wallets
from backend_client.types.accounting import (
    BookEntry,
    BookTerms,
    EntryKind,
    EntryLine,
    RevenueMonth,
    RevenueSchedule,
)
from backend_client.types.common import Page

MOST_MONTHS = 36
_BATCH = 200
_YEARS = range(2000, 2200)


def book_months(first: date, last: date | None, terms: BookTerms) -> BookMonths:
    """Return the months from ``first`` to ``last`` (None: the one).

    Raises ``InvalidInput`` unless both are first days of months in order, 36 at most.
    """
    last = first if last is None else last
    for field, day in (("first", first), ("last", last)):
        if day.day != 1:
            raise MonthsNotValid.of_field(field, "is not the first day of a month")
        if day.year not in _YEARS:
            raise MonthsNotValid.of_field(field, "is no month of the years 2000 to 2199")
    if last < first:
        raise MonthsNotValid.of_field("last", f"is before {first}")
    if len(months_from(first, last)) > MOST_MONTHS:
        raise MonthsNotValid.of_field("last", f"is more than {MOST_MONTHS} months after the first")
    return BookMonths(first, last, ZoneInfo(terms.time_zone))


async def list_entries(
    connection: AsyncConnection,
    first: date,
    last: date | None,
    *,
    tenant: str | None,
    cursor: str | None,
    limit: int,
) -> Page[BookEntry]:
    """Return the entries of months, up to ``limit`` tenants at a time; raise ``InvalidInput``."""
    terms = (await read_terms(connection)).terms
    months = book_months(first, last, terms)
    after = "" if cursor is None else Cursor.read(cursor)
    ids = [tenant] if tenant else await _tenants_after(connection, after, limit + 1)
    entries = await _journals(connection, ids[:limit], months, terms)
    more = len(ids) > limit
    return Page(
        items=[_on_the_wire(entry) for entry in entries],
        next_cursor=Cursor.write(ids[limit - 1]) if more else None,
    )


async def read_journal(
    connection: AsyncConnection,
    first: date,
    last: date | None,
    *,
    tenant: str | None = None,
    currency: str | None = None,
) -> tuple[list[Journal], BookTerms]:
    """Return all entries of months, of one tenant or currency or of all, and the terms.

    Raises ``InvalidInput``.
    """
    terms = (await read_terms(connection)).terms
    months = book_months(first, last, terms)
    entries: list[Journal] = []
    async for ids in _batches(connection, tenant):
        entries += await _journals(connection, ids, months, terms)
    return [entry for entry in entries if currency is None or entry.currency == currency], terms


async def revenue_schedule(
    connection: AsyncConnection, first: date, last: date | None, *, tenant: str | None
) -> RevenueSchedule:
    """Return revenue by month, of one tenant or of all; raise ``InvalidInput``."""
    months, provisional = await _scheduled(connection, first, last, tenant)
    revenues: list[Revenue] = []
    credit: list[BookedWallet] = []
    async for ids in _batches(connection, tenant):
        revenues += await _revenues(connection, ids, months)
        credit += await read_wallets(connection, ids, months)
    rows = schedule(revenues, credit, months_from(months.first, months.last), provisional)
    return RevenueSchedule(tenant=tenant, rows=rows)


async def schedules_by_tenant(
    connection: AsyncConnection, first: date, last: date | None, *, tenant: str | None
) -> list[tuple[str, RevenueMonth]]:
    """Return the rows of each tenant's own schedule, with the tenant's id."""
    months, _ = await _scheduled(connection, first, last, tenant)
    in_order = months_from(months.first, months.last)
    rows: list[tuple[str, RevenueMonth]] = []
    async for ids in _batches(connection, tenant):
        revenues = await _revenues(connection, ids, months)
        credit = await read_wallets(connection, ids, months)
        for tenant_id in ids:
            provisional = await _provisional_from(connection, tenant_id)
            own = schedule(
                [revenue for revenue in revenues if revenue.tenant == tenant_id],
                [wallet for wallet in credit if wallet.tenant == tenant_id],
                in_order,
                provisional,
            )
            rows += [(tenant_id, row) for row in own]
    return rows


async def _scheduled(
    connection: AsyncConnection, first: date, last: date | None, tenant: str | None
) -> tuple[BookMonths, date | None]:
    months = book_months(first, last, (await read_terms(connection)).terms)
    return months, await _provisional_from(connection, tenant)


async def _journals(
    connection: AsyncConnection, ids: Sequence[str], months: BookMonths, terms: BookTerms
) -> list[Journal]:
    """Return the entries of the months: by tenant, then by day."""
    accounts, earlier = await read_accounts(connection, ids, months)
    wallets_read = await read_wallets(connection, ids, months)

    def book() -> list[Journal]:
        entries: list[Journal] = []
        for account in accounts:
            entries += account_entries(account, earlier[account.invoice.tenant], terms.accounts)
        for wallet in wallets_read:
            entries += wallet_entries(wallet, terms.accounts)
        within = [entry for entry in entries if months.holds(entry.booked_on)]
        return sorted(within, key=lambda entry: (entry.tenant, entry.booked_on, entry.reference))

    return await asyncio.to_thread(book)  # too long for the event loop


async def _revenues(
    connection: AsyncConnection, ids: Sequence[str], months: BookMonths
) -> list[Revenue]:
    accounts, earlier = await read_accounts(connection, ids, months)

    def divide() -> list[Revenue]:
        return [
            revenue
            for account in accounts
            for revenue in revenue_of(account, earlier[account.invoice.tenant])
        ]

    return await asyncio.to_thread(divide)


async def _batches(connection: AsyncConnection, tenant: str | None) -> AsyncIterator[list[str]]:
    if tenant is not None:
        yield [tenant]
        return
    after = ""
    while ids := await _tenants_after(connection, after, _BATCH):
        yield ids
        after = ids[-1]


async def _tenants_after(connection: AsyncConnection, after: str, limit: int) -> list[str]:
    """Return tenants that have invoices or credit, removed ones too; samples are left out."""
    samples = _samples()
    both = union(select(invoices.c.tenant_id), select(wallets.c.tenant_id)).subquery()
    query = (
        select(both.c.tenant_id)
        .where(both.c.tenant_id > after, both.c.tenant_id.not_in(samples))
        .order_by(both.c.tenant_id)
        .limit(limit)
    )
    return list(await connection.scalars(query))


def _samples() -> CompoundSelect[tuple[str]]:
    """Select the sample tenants, and those on test clocks that were removed."""
    samples = select(tenants.c.id).where(tenants.c.is_sample)
    return samples.union(select(test_clocks.c.tenant_id))


async def _provisional_from(connection: AsyncConnection, tenant: str | None) -> date | None:
    """Return the first month for which invoices are still to come; None if none are."""
    # Each period begins at midnight of its own clocks
    local = func.timezone(billing_cursors.c.time_zone, billing_cursors.c.period_start)
    query = select(func.min(local))
    if tenant is not None:
        query = query.where(billing_cursors.c.tenant_id == tenant)
    else:
        samples = _samples()
        query = query.where(billing_cursors.c.tenant_id.not_in(samples))
    start = await connection.scalar(query)
    return None if start is None else first_of(start.date())


def _on_the_wire(entry: Journal) -> BookEntry:
    return BookEntry(
        reference=entry.reference,
        kind=EntryKind(entry.kind),
        booked_on=entry.booked_on,
        tenant=entry.tenant,
        document=entry.document,
        currency=entry.currency,
        lines=[
            EntryLine(
                account=line.account, amount=money(line.amount, entry.currency), text=line.text
            )
            for line in entry.lines
        ],
    )
