"""What contracts have prepaid: its credit, and an invoice for each instalment when that is due.

The credit is granted for the term and pays the term's invoices, which carry the tax: instalments
have none, as credit has that is taxed when it is used.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import RowMapping, Select, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.clocks import acted_on
from backend.accounts.tenants import find_tenant
from backend.customers.profiles import profile_of
from backend.errors import FareboxError, InvalidInput
from backend.ids import new_id
from backend.invoices.drafts.billing_cursors import set_problem, unbilled
from backend.invoices.issuing.issuing import ToIssue, issue
from backend.invoices.rules.lines import ComposedLine, Item
from backend.invoices.taxing.deciding import InvoiceTax
from backend.invoices.taxing.untaxed import Untaxed, day_at
from backend.pricing.credit.grants import Grant, GrantKind, Rollover
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import contract_instalments, contracts
from backend.subscriptions.contracts import (
    contract_in_force,
    contract_term,
    find_contract,
    periods_of,
)
from backend.subscriptions.instalments import instalments_of, plan_instalments
from backend.subscriptions.periods import period_at
from backend.wallets.recurring import current_wallet
from backend.wallets.top_ups import check_balance
from backend_client.types.accounts import Tenant
from backend_client.types.contracts import ContractCreate, PrepaidTerms
from backend_client.types.invoices import InvoiceKind
from backend_client.types.spend import Period
from backend_client.types.wallets import GRANTED_BY_CONTRACT

_log = structlog.get_logger(__name__)

INSTALMENT: Final = "instalment"
"""The kind of the line of an instalment's invoice."""

TAXED_WHEN_USED: Final = "This is for prepaid credit. Tax falls when the credit is used."


class _Credit(NamedTuple):
    """A grant to be: its id, how much, and from when until when it pays."""

    id: str
    amount: Decimal
    since: datetime
    until: datetime


def _grant_id(contract_id: str, term_start: datetime) -> str:
    """Return the id of the credit of a term: the same each time it is granted."""
    return f"{contract_id}:{term_start.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def check_tax(settings: Settings, terms: ContractCreate) -> None:
    """Raise ``InvalidInput`` for prepaid terms where credit is taxed as it is sold.

    The invoices that draw it down have their tax, and it would fall twice.
    """
    if terms.prepaid is not None and settings.credit_taxed == "at_sale":
        detail = "is taxed as it is used, and FAREBOX_CREDIT_TAXED is at_sale"
        raise InvalidInput.of_field("prepaid", detail)


async def ask_for_instalments(
    database: Database, settings: Settings, now: datetime, *, only: str | None = None
) -> list[str]:
    """Grant what is prepaid for terms that began by ``now``, and invoice instalments that are due.

    For all tenants, or ``only`` one, also one on a test clock. Returns the invoices' ids. Each act
    happens once. A tenant that fails is told in its billing, and delays no other.
    """
    async with database.begin() as connection:
        tenant_ids = list(await connection.scalars(_due(now, only)))
    issued: list[str] = []
    for tenant_id in tenant_ids:
        try:
            async with database.begin() as connection:
                tenant = await find_tenant(connection, tenant_id)
                issued += await instalments_due(connection, settings, tenant, now)
        except FareboxError as error:
            _log.exception("invoices.instalment_failed", tenant=tenant_id)
            async with database.begin() as connection:
                await set_problem(connection, tenant_id, error.detail)
    return issued


async def instalments_due(
    connection: AsyncConnection, settings: Settings, tenant: Tenant, now: datetime
) -> list[str]:
    """Do that for a tenant in the caller's transaction; return the invoices' ids."""
    await unbilled(connection, tenant.id, lock=True)
    begun = (
        select(contracts.c.id)
        .where(contracts.c.tenant_id == tenant.id, contracts.c.prepaid_until <= now)
        .order_by(contracts.c.start_at)
        # Not the row's key: an amendment, which refers to it, need not wait
        .with_for_update(key_share=True)
    )
    for contract_id in (await connection.scalars(begun)).all():
        await _begin_terms(connection, tenant, contract_id, now)
    due = (
        select(contract_instalments)
        .where(
            contract_instalments.c.tenant_id == tenant.id,
            contract_instalments.c.invoice_id.is_(None),
            contract_instalments.c.due_at <= now,
        )
        .order_by(contract_instalments.c.due_at, contract_instalments.c.contract_id)
        .with_for_update()
    )
    rows = (await connection.execute(due)).mappings().all()
    return [await _ask(connection, settings, tenant, row, now) for row in rows]


def _due(now: datetime, only: str | None) -> Select[Any]:
    begun = select(contracts.c.tenant_id).where(contracts.c.prepaid_until <= now)
    asked = select(contract_instalments.c.tenant_id).where(
        contract_instalments.c.invoice_id.is_(None), contract_instalments.c.due_at <= now
    )
    both = union(begun, asked).subquery()
    query = select(both.c.tenant_id).where(acted_on(both.c.tenant_id, only))
    return query.order_by(both.c.tenant_id)


async def _begin_terms(
    connection: AsyncConnection, tenant: Tenant, contract_id: str, now: datetime
) -> None:
    """Grant the credit of the terms that began by ``now``, and plan the instalments of each."""
    contract = await find_contract(connection, tenant.id, contract_id)
    row = contracts.c.tenant_id == tenant.id, contracts.c.id == contract_id
    until = await connection.scalar(select(contracts.c.prepaid_until).where(*row))
    while until is not None and until <= now:
        term = await contract_term(connection, tenant, contract, until)
        in_force = await contract_in_force(connection, tenant, until)
        if term is None or in_force is None or in_force.id != contract_id:
            until = None  # it ended, or another took its place
            break
        periods = await periods_of(connection, tenant, term.terms)
        parts = instalments_of(term.terms, periods, tenant.currency)
        await plan_instalments(connection, tenant.id, contract_id, parts)
        prepaid = term.terms.prepaid
        if prepaid is not None and prepaid.grant == "term":
            name = _grant_id(contract_id, term.start)
            credit = _Credit(name, prepaid.amount, term.start, term.end)
            await _grant(connection, tenant, term.terms, prepaid, credit, now)
        until = term.end
    await connection.execute(update(contracts).where(*row).values(prepaid_until=until))


async def _ask(
    connection: AsyncConnection, settings: Settings, tenant: Tenant, row: RowMapping, now: datetime
) -> str:
    """Issue the invoice of an instalment; its part of the credit comes too if it was agreed so."""
    contract = await find_contract(connection, tenant.id, row["contract_id"])
    period = await period_at(connection, tenant, row["due_at"])
    time = Period(start=row["due_at"], end=row["until"], time_zone=tenant.time_zone)
    name = f"{contract.terms.name}: prepaid"
    if row["of"] > 1:
        name = f"{name}, instalment {row['number']} of {row['of']}"
    of = Item(INSTALMENT, None, None, f"{contract.id} {row['term_start']:%Y-%m-%d} {row['number']}")
    invoice = Untaxed(
        new_id("inv"),
        InvoiceKind.INSTALMENT,
        tenant,
        await profile_of(connection, tenant.id),
        period,
        [ComposedLine(of, name, time, row["amount"], row["amount"])],
        day_at(now, period),
    )
    tax = InvoiceTax(notes=[TAXED_WHEN_USED])
    issued = ToIssue(invoice, tax, net_days=contract.terms.net_days, draws_credit=False)
    await issue(connection, settings, [issued], now)
    await connection.execute(
        update(contract_instalments)
        .where(
            contract_instalments.c.tenant_id == tenant.id,
            contract_instalments.c.contract_id == contract.id,
            contract_instalments.c.term_start == row["term_start"],
            contract_instalments.c.number == row["number"],
        )
        .values(invoice_id=invoice.id)
    )
    prepaid = contract.terms.prepaid
    if prepaid is not None and prepaid.grant == "instalment":
        grant_id = f"{_grant_id(contract.id, row['term_start'])}:{row['number']}"
        credit = _Credit(grant_id, row["amount"], row["due_at"], row["term_end"])
        await _grant(connection, tenant, contract.terms, prepaid, credit, now)
    return invoice.id


async def _grant(
    connection: AsyncConnection,
    tenant: Tenant,
    terms: ContractCreate,
    prepaid: PrepaidTerms,
    credit: _Credit,
    now: datetime,
) -> None:
    """Grant the credit of a term, or of one of its instalments, unless it is there."""
    rollover = None
    if prepaid.rollover_percent is not None and prepaid.rollover_months is not None:
        rollover = Rollover(prepaid.rollover_percent, prepaid.rollover_months)
    grant = Grant(
        credit.id,
        GrantKind.PAID,
        credit.amount,
        credit.since,
        credit.until,
        in_arrears=True,
        rollover=rollover,
    )
    locked = await current_wallet(connection, tenant.id, now)
    await locked.add_grant(grant, name=terms.name, origin=GRANTED_BY_CONTRACT)
    await check_balance(locked)
