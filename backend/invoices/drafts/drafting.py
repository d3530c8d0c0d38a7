"""Drafts: a tenant's next invoice, rated from the rollups as they are now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.invoices.drafts.billing_cursors import Unbilled
from backend.invoices.drafts.items import pending_items
from backend.invoices.drafts.late_usage import Mark, billed, usage_marks
from backend.invoices.rules.items import item_lines
from backend.invoices.rules.lines import (
    ComposedLine,
    Invoiced,
    InvoicedInPart,
    Item,
    asked_again,
    invoiced_items,
    late_lines,
    less_invoiced_before,
    lines_of,
    paid_when_used,
    total_of,
)
from backend.invoices.taxing.untaxed import Untaxed, closing_day
from backend.pricing.money import round_to_minor_unit
from backend.pricing.periods import BillingPeriod
from backend.settings import Settings
from backend.spend.gathering import metered_period, plain_period
from backend.spend.report import period_of
from backend.storage.tables import contracts, invoice_lines, invoices
from backend.subscriptions.contracts import contract_in_force
from backend.subscriptions.rated_elsewhere import (
    RatedElsewhere,
    is_rated_elsewhere,
    rated_elsewhere,
)
from backend.wallets.prepayment import paid_by_wallet
from backend.wallets.recurring import used_beyond_share
from backend.wallets.used_by_calls import used_by_calls
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import AFTER_TAX, InvoiceKind
from backend_client.types.spend import Period, SpendLine


@dataclass(frozen=True, slots=True)
class Draft:
    """The lines of the next invoice. ``marks`` are stored when it is issued.

    ``net_days`` are the contract's payment terms, None without one.
    """

    of: Unbilled
    lines: list[ComposedLine]
    marks: list[Mark]
    net_days: int | None = None


@dataclass(slots=True)
class DraftContext:
    """What drafts of several tenants need, read for all of them in a few queries."""

    marks: dict[tuple[str, datetime], str]
    changed: defaultdict[str, list[BillingPeriod]] = field(
        default_factory=lambda: defaultdict(list)
    )
    before: defaultdict[str, list[InvoicedInPart]] = field(
        default_factory=lambda: defaultdict(list)
    )
    elsewhere: RatedElsewhere = field(default_factory=lambda: defaultdict(list))
    items: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    contracts: dict[str, int | None] = field(default_factory=dict)
    """Tenants that have or had a contract, with the payment terms of the one in force."""


async def load_context(
    connection: AsyncConnection,
    open_periods: Sequence[Unbilled],
    now: datetime,
    settings: Settings,
    *,
    looking_back: int | None = None,
) -> DraftContext:
    """Read which earlier periods changed since they were billed, and what was billed in part.

    ``looking_back`` is how many earlier periods of each tenant are compared, the latest ones; with
    None all that late events can reach, which reads a year of rollups.
    """
    past = await billed(
        connection, [unbilled.tenant.id for unbilled in open_periods], now, settings
    )
    if looking_back is not None:
        past = {tenant_id: periods[-looking_back:] for tenant_id, periods in past.items()}
    windows = [
        (unbilled.tenant.id, unbilled.period.start, unbilled.period.end)
        for unbilled in open_periods
    ]
    windows += [
        (tenant_id, period.start, period.end)
        for tenant_id, periods in past.items()
        for period, _ in periods
    ]
    context = DraftContext(await usage_marks(connection, windows))
    tenant_ids = [unbilled.tenant.id for unbilled in open_periods]
    context.elsewhere = await rated_elsewhere(connection, tenant_ids)
    context.items = await pending_items(connection, tenant_ids)
    for tenant_id, periods in past.items():
        changed = [context.marks[tenant_id, period.start] != mark for period, mark in periods]
        if any(changed):
            # Later ones too: a commitment over a term is counted from period to period
            first = changed.index(True)
            context.changed[tenant_id] += [period for period, _ in periods[first:]]
    starts = {unbilled.tenant.id: unbilled.period.start for unbilled in open_periods}
    tenants = [unbilled.tenant for unbilled in open_periods]
    redeemed = (
        select(func.coalesce(func.sum(invoice_lines.c.amount), 0))
        .where(
            invoice_lines.c.tenant_id == invoices.c.tenant_id,
            invoice_lines.c.invoice_id == invoices.c.id,
            invoice_lines.c.kind.in_(AFTER_TAX),
        )
        .scalar_subquery()
    )
    query = (
        select(
            invoices.c.tenant_id,
            invoices.c.period_start,
            invoices.c.number,
            invoices.c.subtotal,
            redeemed,
        )
        .where(
            invoices.c.tenant_id.in_(list(starts)),
            invoices.c.period_start >= min(starts.values()),
            invoices.c.kind == InvoiceKind.PROGRESSIVE.value,
            invoices.c.replaced_by.is_(None),
        )
        .order_by(invoices.c.tenant_id, invoices.c.id)
    )
    for tenant_id, start, *before in await connection.execute(query):
        if start == starts[tenant_id]:
            context.before[tenant_id].append(InvoicedInPart(*before))
    context.contracts = await _contracts(connection, tenants, starts)
    return context


async def _contracts(
    connection: AsyncConnection, tenants: Sequence[Tenant], starts: Mapping[str, datetime]
) -> dict[str, int | None]:
    """Return who has a contract, and the payment terms of those in force where periods start."""
    query = select(contracts.c.tenant_id).where(contracts.c.tenant_id.in_(list(starts))).distinct()
    agreed = set(await connection.scalars(query))
    net_days: dict[str, int | None] = {}
    for tenant in tenants:
        if tenant.id in agreed:
            contract = await contract_in_force(connection, tenant, starts[tenant.id])
            net_days[tenant.id] = None if contract is None else contract.terms.net_days
    return net_days


async def draft(connection: AsyncConnection, unbilled: Unbilled, context: DraftContext) -> Draft:
    """Rate a tenant's period and what changed in earlier ones; return the invoice's lines."""
    tenant = unbilled.tenant
    plain = tenant.id not in context.contracts
    lines = []
    if not is_rated_elsewhere(context.elsewhere, tenant.id, unbilled.period):
        lines = await period_lines(connection, tenant, unbilled.period, plain=plain)
    lines += less_invoiced_before(period_of(unbilled.period), context.before.get(tenant.id, ()))
    marks: list[Mark] = [
        (tenant.id, unbilled.period, context.marks[tenant.id, unbilled.period.start])
    ]
    for period in context.changed.get(tenant.id, ()):
        if not is_rated_elsewhere(context.elsewhere, tenant.id, period):
            again = await period_lines(connection, tenant, period, plain=plain)
            lines += late_lines(again, await invoiced_of(connection, tenant.id, period))
        marks.append((tenant.id, period, context.marks[tenant.id, period.start]))
    waiting = context.items.get(tenant.id, ())
    lines += item_lines(waiting, total_of(lines), period_of(unbilled.period))
    return Draft(unbilled, lines, marks, context.contracts.get(tenant.id))


def untaxed_draft(draft: Draft) -> Untaxed:
    """Return the invoice that a draft becomes, before its tax."""
    unbilled = draft.of
    return Untaxed(
        unbilled.draft_id,
        InvoiceKind.PERIOD,
        unbilled.tenant,
        unbilled.profile,
        unbilled.period,
        draft.lines,
        closing_day(unbilled.period),
    )


async def period_lines(
    connection: AsyncConnection,
    tenant: Tenant,
    period: BillingPeriod,
    *,
    plain: bool,
    so_far: datetime | None = None,
) -> list[ComposedLine]:
    """Rate any period of a tenant by its usage as it is now, less what was prepaid.

    ``plain`` leaves out what a contract adds, because there is none. ``so_far`` is now, for a
    period that still runs: what is missing to a commitment or a minimum is not asked for yet, nor
    what begins later.
    """
    rated_as = metered_period if so_far is None and not plain else plain_period
    opened = await rated_as(connection, tenant, period)
    if so_far is not None:
        opened = opened.so_far(so_far)
    rated = opened.rate()
    lines = lines_of(rated, period_of(period))
    prepaid = {
        (stretch.plan.id, stretch.plan_version)
        for stretch in opened.stretches
        if stretch.plan is not None and stretch.plan.prepaid
    }
    if prepaid:
        by_calls = await used_by_calls(connection, tenant.id, period)
        beyond = await used_beyond_share(connection, tenant, period)
        used = by_calls.less_given(beyond)
        # What calls had not used of it paid invoices: these ask for it again
        by_bills = beyond - (by_calls.amount - used.amount)
        lines += asked_again(period_of(period), round_to_minor_unit(by_bills, tenant.currency))
        paid = paid_by_wallet(rated, prepaid, used.amount)
        lines += paid_when_used(
            period_of(period), paid, redeemed=used.part_redeemed(paid, tenant.currency)
        )
    return lines


async def invoiced_of(
    connection: AsyncConnection, tenant_id: str, period: BillingPeriod
) -> dict[Item, Invoiced]:
    """Return what was invoiced of a closed period, by item, late lines included.

    Progressive invoices and the lines that take them off again cancel out. A reissued invoice
    counts once; a void one that was not reissued counts too, since what it asked for was waived.
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
    """Return a row of ``invoice_lines`` as the line that was composed."""
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
