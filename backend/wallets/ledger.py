"""A tenant's wallet, locked: its grants, and the only way to append to its ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    Executable,
    Numeric,
    RowMapping,
    Text,
    any_,
    bindparam,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.credit.entries import Account, LedgerEntry
from backend.pricing.credit.grants import Grant, GrantKind, Rollover
from backend.pricing.credit.wallet import Wallet
from backend.pricing.money import ZERO
from backend.storage.tables import credit_grants, ledger_entries, wallets

_HELD: tuple[Account, ...] = (
    Account.AVAILABLE,
    Account.RESERVED,
    Account.USED,
    Account.EXPIRED,
    Account.REFUNDED,
)

_APPEND = text(
    """
    WITH entry AS MATERIALIZED (
        SELECT * FROM unnest(:times, :grants, :sources, :targets, :amounts, :causes)
            WITH ORDINALITY AS entry (at, grant_id, source, target, amount, cause, place)
    ), written AS (
        INSERT INTO ledger_entries (tenant_id, number, at, grant_id, source, target, amount, cause)
        SELECT :tenant_id, :last_entry + place, at, grant_id, source, target, amount, cause
        FROM entry
    ), numbered AS (
        UPDATE wallets SET last_entry = :last_entry + cardinality(:grants), last_entry_at = :at
        WHERE tenant_id = :tenant_id
    )
    UPDATE credit_grants SET
        amount = credit_grants.amount - coalesce(moved.granted, 0),
        available = credit_grants.available + coalesce(moved.available, 0),
        reserved = credit_grants.reserved + coalesce(moved.reserved, 0),
        used = credit_grants.used + coalesce(moved.used, 0),
        expired = credit_grants.expired + coalesce(moved.expired, 0),
        refunded = credit_grants.refunded + coalesce(moved.refunded, 0)
    FROM (
        SELECT grant_id,
            sum(delta) FILTER (WHERE account = 'granted') AS granted,
            sum(delta) FILTER (WHERE account = 'available') AS available,
            sum(delta) FILTER (WHERE account = 'reserved') AS reserved,
            sum(delta) FILTER (WHERE account = 'used') AS used,
            sum(delta) FILTER (WHERE account = 'expired') AS expired,
            sum(delta) FILTER (WHERE account = 'refunded') AS refunded
        FROM (
            SELECT grant_id, source AS account, -amount AS delta FROM entry
            UNION ALL SELECT grant_id, target, amount FROM entry
        ) AS side
        GROUP BY grant_id
    ) AS moved
    WHERE credit_grants.tenant_id = :tenant_id AND credit_grants.id = moved.grant_id
    """
).bindparams(
    bindparam("tenant_id", type_=Text),
    bindparam("last_entry", type_=BigInteger),
    bindparam("at", type_=ledger_entries.c.at.type),
    bindparam("times", type_=ARRAY(ledger_entries.c.at.type)),
    *(bindparam(name, type_=ARRAY(Text)) for name in ("grants", "sources", "targets", "causes")),
    bindparam("amounts", type_=ARRAY(Numeric)),
)
"""Writes entries, moves the wallet's last number on, and adds them to the sums of their grants."""

# Made once, for they run at each call on a prepaid plan
_LOCK = select(wallets).where(wallets.c.tenant_id == bindparam("tenant_id")).with_for_update()
_OF_TENANT = select(credit_grants).where(credit_grants.c.tenant_id == bindparam("tenant_id"))
_LIVE = _OF_TENANT.where(or_(credit_grants.c.available > 0, credit_grants.c.reserved > 0))
_NAMED = _OF_TENANT.where(credit_grants.c.id == any_(bindparam("grants", type_=ARRAY(Text))))


@dataclass(slots=True)
class LockedWallet:
    """A wallet that nobody else can change until the transaction ends.

    ``at`` is the time of new entries: never before an earlier entry's, even if the clocks of two
    replicas differ.
    """

    connection: AsyncConnection
    tenant_id: str
    row: RowMapping
    at: datetime
    wallet: Wallet
    last_entry: int

    async def append(self, entries: Sequence[LedgerEntry]) -> None:
        """Write entries, and add them to the grants' sums."""
        if not entries:
            return
        await self.connection.execute(
            _APPEND,
            {
                "tenant_id": self.tenant_id,
                "last_entry": self.last_entry,
                "at": self.at,
                "times": [entry.at for entry in entries],
                "grants": [entry.grant_id for entry in entries],
                "sources": [entry.source.value for entry in entries],
                "targets": [entry.target.value for entry in entries],
                "amounts": [entry.amount for entry in entries],
                "causes": [entry.cause for entry in entries],
            },
        )
        self.last_entry += len(entries)
        self.wallet.append(entries)

    async def load(self, grant_ids: Collection[str]) -> None:
        """Load grants with nothing left; a locked wallet has only the others."""
        unknown = [grant_id for grant_id in grant_ids if grant_id not in self.wallet.grants]
        if unknown:
            values = {"tenant_id": self.tenant_id, "grants": unknown}
            await _read(self.connection, _NAMED, values, self.wallet)

    async def add_grant(self, grant: Grant, *, name: str, origin: str) -> bool:
        """Add a grant; return whether it is new. Adding it again does nothing."""
        if grant.id in self.wallet.grants:
            return False
        added = await self.connection.execute(
            insert(credit_grants)
            .values(
                tenant_id=self.tenant_id,
                id=grant.id,
                name=name,
                kind=grant.kind.value,
                origin=origin,
                priority=grant.priority,
                models=None if grant.models is None else sorted(grant.models),
                starts_at=grant.starts_at,
                expires_at=grant.expires_at,
                in_arrears=grant.in_arrears,
                rollover_percent=grant.rollover and grant.rollover.percent,
                rollover_months=grant.rollover and grant.rollover.months,
                taxed_at_sale=grant.taxed_at_sale,
                amount=ZERO,  # its first entry adds it
                available=ZERO,
            )
            .on_conflict_do_nothing()
            .returning(credit_grants.c.id)
        )
        if added.first() is None:
            return False
        entries = self.wallet.grant(grant, self.at)
        self.wallet.append((), [grant])
        await self.append(entries)
        return True

    async def resize_grant(self, grant_id: str, amount: Decimal) -> None:
        """Have a grant come to ``amount`` in all. What is available of it changes by as much.

        Raises ``ValueError`` if more is to be taken away than is available.
        """
        await self.load([grant_id])
        await self.append(self.wallet.resize(grant_id, amount, self.at))


async def lock_wallet(connection: AsyncConnection, tenant_id: str, now: datetime) -> LockedWallet:
    """Lock the tenant's wallet until the transaction ends, and read its grants."""
    row = await _lock(connection, tenant_id)
    # Read after the lock: what others changed before they released it must be seen.
    wallet = Wallet()
    await _read(connection, _LIVE, {"tenant_id": tenant_id}, wallet)
    at = now.astimezone(UTC)
    if row["last_entry_at"] is not None:
        at = max(at, row["last_entry_at"])
    return LockedWallet(connection, tenant_id, row, at, wallet, row["last_entry"])


async def _read(
    connection: AsyncConnection, query: Executable, values: Mapping[str, object], wallet: Wallet
) -> None:
    """Add the grants that a query selects to a wallet, each with its balances."""
    for row in (await connection.execute(query, values)).mappings():
        balances = {account: row[account.value] for account in _HELD}
        wallet.restore(grant_from(row), balances | {Account.GRANTED: -row["amount"]})


async def _lock(connection: AsyncConnection, tenant_id: str) -> RowMapping:
    values = {"tenant_id": tenant_id}
    row = (await connection.execute(_LOCK, values)).mappings().first()
    if row is None:
        row_to_add = insert(wallets).values(tenant_id=tenant_id).on_conflict_do_nothing()
        await connection.execute(row_to_add)
        row = (await connection.execute(_LOCK, values)).mappings().one()
    return row


def grant_from(row: RowMapping) -> Grant:
    """Return a row with the columns of ``credit_grants`` as a grant."""
    return Grant(
        row["id"],
        GrantKind(row["kind"]),
        row["amount"],
        row["starts_at"],
        row["expires_at"],
        row["priority"],
        None if row["models"] is None else frozenset(row["models"]),
        row["in_arrears"],
        None
        if row["rollover_months"] is None
        else Rollover(row["rollover_percent"], row["rollover_months"]),
        row["taxed_at_sale"],
    )
