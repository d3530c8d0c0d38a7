"""A wallet's balance as of any instant, its grants, its ledger, its top-ups."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import RowMapping, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.kit.pages import Cursor, page_of
from backend.pricing.credit.entries import Account
from backend.pricing.money import exact_arithmetic
from backend.settings import Settings
from backend.storage.tables import credit_grants, ledger_entries, tenants, top_ups, wallets
from backend.wallets.errors import GrantNotFound
from backend.wallets.top_ups import top_up_from
from backend_client.types.accounts import Tenant
from backend_client.types.common import Page
from backend_client.types.wallets import (
    CreditGrant,
    LedgerEntry,
    TenantTopUp,
    TopUp,
    TopUpRule,
    WalletBalance,
    WalletSettings,
)


async def wallet_balance(
    connection: AsyncConnection,
    tenant: Tenant,
    at: datetime,
    *,
    now: bool = True,
    settings: Settings | None = None,
) -> WalletBalance:
    """Return the wallet's balance at an instant: the sum of its ledger's entries up to then.

    ``settings`` say when credit is taxed.
    """
    sums: dict[tuple[str, str], Decimal] = {}
    with exact_arithmetic():
        moved = (ledger_entries.c.grant_id, ledger_entries.c.source, ledger_entries.c.target)
        rows = await connection.execute(
            select(*moved, func.sum(ledger_entries.c.amount))
            .where(ledger_entries.c.tenant_id == tenant.id, ledger_entries.c.at <= at)
            .group_by(*moved)
        )
        for grant_id, source, target, amount in rows:
            for key, change in (((grant_id, source), -amount), ((grant_id, target), amount)):
                sums[key] = sums.get(key, Decimal(0)) + change
        usable = await connection.scalars(
            select(credit_grants.c.id).where(
                credit_grants.c.tenant_id == tenant.id,
                credit_grants.c.starts_at <= at,
                or_(credit_grants.c.expires_at.is_(None), credit_grants.c.expires_at > at),
            )
        )
        totals = {
            account: sum((sums[key] for key in sums if key[1] == account), Decimal(0))
            for account in Account
        }
        spendable = sum(
            (sums.get((grant_id, Account.AVAILABLE.value), Decimal(0)) for grant_id in usable),
            Decimal(0),
        )
    query = select(wallets).where(wallets.c.tenant_id == tenant.id)
    row = (await connection.execute(query)).mappings().first()
    return WalletBalance(
        as_of=at.astimezone(UTC),
        currency=tenant.currency,
        spendable=spendable,
        granted=-totals[Account.GRANTED],
        available=totals[Account.AVAILABLE],
        reserved=totals[Account.RESERVED],
        used=totals[Account.USED],
        expired=totals[Account.EXPIRED],
        refunded=totals[Account.REFUNDED],
        settings=_settings(row),
        low_since=row["low_since"] if row is not None and now else None,
        top_ups_taxed=settings is not None and settings.credit_taxed == "at_sale",
    )


def _settings(row: RowMapping | None) -> WalletSettings:
    if row is None:
        return WalletSettings()
    rule = None
    if row["top_up_threshold"] is not None:
        rule = TopUpRule(
            threshold=row["top_up_threshold"],
            amount=row["top_up_amount"],
            daily_ceiling=row["top_up_daily_ceiling"],
        )
    return WalletSettings(top_up=rule, low_balance=row["low_balance"])


async def set_wallet(connection: AsyncConnection, tenant_id: str, wanted: WalletSettings) -> None:
    """Set the wallet's top-up rule, and the balance below which it warns."""
    rule = wanted.top_up
    values = {
        "low_balance": wanted.low_balance,
        "top_up_threshold": rule and rule.threshold,
        "top_up_amount": rule and rule.amount,
        "top_up_daily_ceiling": rule and rule.daily_ceiling,
    }
    await connection.execute(
        insert(wallets)
        .values(tenant_id=tenant_id, **values)
        .on_conflict_do_update(index_elements=[wallets.c.tenant_id], set_=values)
    )


async def find_grant(connection: AsyncConnection, tenant_id: str, grant_id: str) -> CreditGrant:
    """Return one of the tenant's grants; raise ``NotFound``."""
    query = select(credit_grants).where(
        credit_grants.c.tenant_id == tenant_id, credit_grants.c.id == grant_id
    )
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise GrantNotFound()
    return CreditGrant.model_validate(dict(row))


async def list_grants(
    connection: AsyncConnection, tenant_id: str, *, cursor: str | None, limit: int
) -> Page[CreditGrant]:
    """Return a page of the tenant's grants, by id."""
    query = select(credit_grants).where(credit_grants.c.tenant_id == tenant_id)
    if cursor is not None:
        query = query.where(credit_grants.c.id > Cursor.read(cursor))
    rows = await connection.execute(query.order_by(credit_grants.c.id).limit(limit + 1))
    grants = [CreditGrant.model_validate(dict(row)) for row in rows.mappings()]
    return page_of(grants, limit, lambda grant: grant.id)


async def list_ledger(
    connection: AsyncConnection, tenant_id: str, *, cursor: str | None, limit: int
) -> Page[LedgerEntry]:
    """Return a page of the ledger, newest first."""
    columns = [
        column for column in ledger_entries.c if column.name not in ("tenant_id", "grant_id")
    ]
    query = select(*columns, ledger_entries.c.grant_id.label("grant")).where(
        ledger_entries.c.tenant_id == tenant_id
    )
    if cursor is not None:
        query = query.where(ledger_entries.c.number < Cursor.read_number(cursor))
    rows = await connection.execute(query.order_by(ledger_entries.c.number.desc()).limit(limit + 1))
    entries = [LedgerEntry.model_validate(dict(row)) for row in rows.mappings()]
    return page_of(entries, limit, lambda entry: str(entry.number))


async def list_top_ups(
    connection: AsyncConnection, tenant_id: str, *, cursor: str | None, limit: int
) -> Page[TopUp]:
    """Return a page of the tenant's top-ups, newest first."""
    query = select(top_ups).where(top_ups.c.tenant_id == tenant_id)
    if cursor is not None:
        query = query.where(top_ups.c.id < Cursor.read(cursor))
    rows = await connection.execute(query.order_by(top_ups.c.id.desc()).limit(limit + 1))
    return page_of([top_up_from(row) for row in rows.mappings()], limit, lambda top_up: top_up.id)


async def list_waiting_top_ups(
    connection: AsyncConnection, *, cursor: str | None, limit: int
) -> Page[TenantTopUp]:
    """Return a page of all tenants' top-ups that wait for their payment, oldest first."""
    query = (
        select(top_ups, tenants.c.name.label("tenant_name"), tenants.c.currency)
        .join(tenants, tenants.c.id == top_ups.c.tenant_id)
        .where(top_ups.c.state == "pending")
    )
    if cursor is not None:
        query = query.where(top_ups.c.id > Cursor.read(cursor))
    rows = await connection.execute(query.order_by(top_ups.c.id).limit(limit + 1))
    waiting = [TenantTopUp.model_validate(dict(row)) for row in rows.mappings()]
    return page_of(waiting, limit, lambda top_up: top_up.id)
