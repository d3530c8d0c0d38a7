"""Drafts: what the next invoice of a tenant would be, rated from rollups as they are now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sqlalchemy import RowMapping, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.invoices.billing_cursors import Unbilled
from backend.invoices.late_usage import Mark, billed, usage_marks
from backend.invoices.rules.lines import (
    ComposedLine,
    Invoiced,
    Item,
    invoiced_items,
    late_lines,
    less_invoiced_before,
    lines_of,
    paid_when_used,
)
from backend.invoices.taxing.untaxed import Untaxed, closing_day
from backend.pricing.periods import BillingPeriod
from backend.settings import Settings
from backend.spend.open_period import metered_period, plain_period, report
from backend.storage.tables import contracts, invoice_lines, invoices
from backend.wallets.grants import used_by_calls
from backend.wallets.prepayment import paid_by_wallet
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import InvoiceKind
from backend_client.types.spend import Period, SpendLine


@dataclass(frozen=True, slots=True)
class Draft:
    """The lines of an invoice to come. ``marks`` are to be kept when it is issued.

    ``net_days`` are those of the contract, if it has any.
    """

    of: Unbilled
    lines: list[ComposedLine]
    marks: list[Mark]
    net_days: int | None = None


@dataclass(slots=True)
class Ground:
    """What drafts of several tenants stand on, read in a few queries for all of them."""

    marks: dict[tuple[str, datetime], str]
    changed: defaultdict[str, list[BillingPeriod]] = field(
        default_factory=lambda: defaultdict(list)
    )
    before: defaultdict[str, list[tuple[str, Decimal]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    contracts: dict[str, int | None] = field(default_factory=dict)
    """Tenants that have or had a contract, with the payment terms of the one in force."""


async def ground(
    connection: AsyncConnection,
    open_ones: Sequence[Unbilled],
    now: datetime,
    settings: Settings,
    *,
    looking_back: int | None = None,
) -> Ground:
    """Read which earlier periods changed since they were billed, and what was billed in part.

    ``looking_back`` is how many periods of each tenant to look at, from the last one on; all that
    late events can reach if None, which reads a year of rollups.
    """
    past = await billed(connection, [one.tenant.id for one in open_ones], now, settings)
    if looking_back is not None:
        past = {tenant_id: periods[-looking_back:] for tenant_id, periods in past.items()}
    windows = [(one.tenant.id, one.period.start, one.period.end) for one in open_ones]
    windows += [
        (tenant_id, period.start, period.end)
        for tenant_id, periods in past.items()
        for period, _ in periods
    ]
    found = Ground(await usage_marks(connection, windows))
    for tenant_id, periods in past.items():
        changed = [found.marks[tenant_id, period.start] != mark for period, mark in periods]
        if any(changed):
            # What follows too: a commitment over a term counts on from period to period
            first = changed.index(True)
            found.changed[tenant_id] += [period for period, _ in periods[first:]]
    starts = {one.tenant.id: one.period.start for one in open_ones}
    query = (
        select(
            invoices.c.tenant_id, invoices.c.period_start, invoices.c.number, invoices.c.subtotal
        )
        .where(
            invoices.c.tenant_id.in_(list(starts)),
            invoices.c.period_start >= min(starts.values()),
            invoices.c.kind == InvoiceKind.PROGRESSIVE.value,
            invoices.c.replaced_by.is_(None),
        )
        .order_by(invoices.c.tenant_id, invoices.c.id)
    )
    for tenant_id, start, number, subtotal in await connection.execute(query):
        if start == starts[tenant_id]:
            found.before[tenant_id].append((number, subtotal))
    found.contracts = await _contracts(connection, starts)
    return found


async def _contracts(
    connection: AsyncConnection, starts: Mapping[str, datetime]
) -> dict[str, int | None]:
    """Return who has a contract, and the payment terms of those in force where periods start."""
    query = select(
        contracts.c.tenant_id,
        contracts.c.start_at,
        contracts.c.end_at,
        contracts.c.definition["net_days"].as_integer().label("net_days"),
    ).where(contracts.c.tenant_id.in_(list(starts)))
    net_days: dict[str, int | None] = {}
    for row in await connection.execute(query):
        net_days.setdefault(row.tenant_id, None)
        if row.start_at <= starts[row.tenant_id] < row.end_at:
            net_days[row.tenant_id] = row.net_days
    return net_days


async def draft(connection: AsyncConnection, one: Unbilled, known: Ground, now: datetime) -> Draft:
    """Rate a tenant's period and what changed in earlier ones; return the invoice's lines."""
    tenant = one.tenant
    plain = tenant.id not in known.contracts
    lines = await period_lines(connection, tenant, one.period, now, plain=plain)
    lines += less_invoiced_before(period_of(one.period), known.before.get(tenant.id, ()))
    marks: list[Mark] = [(tenant.id, one.period, known.marks[tenant.id, one.period.start])]
    for period in known.changed.get(tenant.id, ()):
        again = await period_lines(connection, tenant, period, now, plain=plain)
        lines += late_lines(again, await invoiced_of(connection, tenant.id, period))
        marks.append((tenant.id, period, known.marks[tenant.id, period.start]))
    return Draft(one, lines, marks, known.contracts.get(tenant.id))


def untaxed_draft(made: Draft) -> Untaxed:
    """Return the invoice that a draft becomes, before its tax."""
    one = made.of
    return Untaxed(
        one.draft_id,
        InvoiceKind.PERIOD,
        one.tenant,
        one.profile,
        one.period,
        made.lines,
        closing_day(one.period),
    )


async def period_lines(
    connection: AsyncConnection,
    tenant: Tenant,
    period: BillingPeriod,
    now: datetime,
    *,
    plain: bool,
) -> list[ComposedLine]:
    """Rate any period of a tenant by its usage as it is now; take off what was prepaid.

    ``plain`` leaves out what a contract adds: it has none, or the period still runs, and what is
    missing to a commitment is not to be asked for yet.
    """
    rated_as = plain_period if plain else metered_period
    opened = await rated_as(connection, tenant, period)
    rated = opened.rate()
    told = report(opened, rated, now)
    lines = lines_of(told)
    prepaid = {
        (one.plan.id, one.plan_version)
        for one in opened.stretches
        if one.plan is not None and one.plan.prepaid
    }
    if prepaid:
        used = await used_by_calls(connection, tenant.id, period)
        lines += paid_when_used(told.period, paid_by_wallet(rated, prepaid, used))
    return lines


def period_of(period: BillingPeriod) -> Period:
    """Put a period into the wire's words."""
    return Period(start=period.start, end=period.end, time_zone=period.time_zone)


async def invoiced_of(
    connection: AsyncConnection, tenant_id: str, period: BillingPeriod
) -> dict[Item, Invoiced]:
    """Return what was invoiced of a closed period, item by item, late lines included.

    Progressive invoices and the lines that take them off again cancel out. An invoice that was
    issued again counts once; one that is void and was not, counts as well: it was waived.
    """
    query = (
        select(invoice_lines)
        .join(
            invoices,
            and_(
                invoices.c.tenant_id == invoice_lines.c.tenant_id,
                invoices.c.id == invoice_lines.c.invoice_id,
            ),
        )
        .where(
            invoice_lines.c.tenant_id == tenant_id,
            invoice_lines.c.period_start == period.start,
            invoices.c.kind == InvoiceKind.PERIOD.value,
            invoices.c.replaced_by.is_(None),
        )
        .order_by(invoices.c.id, invoice_lines.c.line)
    )
    rows = (await connection.execute(query)).mappings()
    return invoiced_items(stored_line(row, period.time_zone) for row in rows)


def stored_line(row: RowMapping, time_zone: str) -> ComposedLine:
    """Make a line of a row of ``invoice_lines``, as it was composed."""
    return ComposedLine(
        Item(row["kind"], row["plan"], row["plan_version"], row["item"]),
        row["name"],
        Period(start=row["period_start"], end=row["period_end"], time_zone=time_zone),
        row["exact"],
        row["amount"],
        row["quantity"],
        None if row["charge"] is None else SpendLine.model_validate(row["charge"]),
        row["late"],
        row["before"],
    )
