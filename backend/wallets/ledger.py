"""A tenant's wallet, locked: its grants, and the only way to append to its ledger."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import (
    ColumnElement,
    Numeric,
    RowMapping,
    Text,
    bindparam,
    or_,
    select,
    text,
    update,
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

_ADD_UP = text(
    """
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
        FROM unnest(:grants, :accounts, :deltas) AS entry (grant_id, account, delta)
        GROUP BY grant_id
    ) AS moved
    WHERE credit_grants.tenant_id = :tenant_id AND credit_grants.id = moved.grant_id
    """
).bindparams(
    bindparam("grants", type_=ARRAY(Text)),
    bindparam("accounts", type_=ARRAY(Text)),
    bindparam("deltas", type_=ARRAY(Numeric)),
)


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
        first = self.last_entry + 1
        self.last_entry += len(entries)
        await self.connection.execute(
            insert(ledger_entries),
            [
                {
                    "tenant_id": self.tenant_id,
                    "number": first + place,
                    "at": entry.at,
                    "grant_id": entry.grant_id,
                    "source": entry.source.value,
                    "target": entry.target.value,
                    "amount": entry.amount,
                    "cause": entry.cause,
                }
                for place, entry in enumerate(entries)
            ],
        )
        await self.connection.execute(
            update(wallets)
            .where(wallets.c.tenant_id == self.tenant_id)
            .values(last_entry=self.last_entry, last_entry_at=self.at)
        )
        moved = [
            (entry.grant_id, account.value, amount)
            for entry in entries
            for account, amount in ((entry.source, -entry.amount), (entry.target, entry.amount))
        ]
        grants, accounts, deltas = zip(*moved, strict=True)
        await self.connection.execute(
            _ADD_UP,
            {
                "tenant_id": self.tenant_id,
                "grants": list(grants),
                "accounts": list(accounts),
                "deltas": list(deltas),
            },
        )
        self.wallet.append(entries)

    async def load(self, grant_ids: Collection[str]) -> None:
        """Load grants with nothing left; a locked wallet has only the others."""
        unknown = [grant_id for grant_id in grant_ids if grant_id not in self.wallet.grants]
        if unknown:
            await _read(
                self.connection, self.tenant_id, credit_grants.c.id.in_(unknown), self.wallet
            )

    async def add_grant(self, grant: Grant, *, name: str, origin: str) -> bool:
        """Add a grant; return whether it is new. Adding it again does nothing."""
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
    live = or_(credit_grants.c.available > 0, credit_grants.c.reserved > 0)
    wallet = Wallet()
    await _read(connection, tenant_id, live, wallet)
    at = now.astimezone(UTC)
    if row["last_entry_at"] is not None:
        at = max(at, row["last_entry_at"])
    return LockedWallet(connection, tenant_id, row, at, wallet, row["last_entry"])


async def _read(
    connection: AsyncConnection, tenant_id: str, which: ColumnElement[bool], wallet: Wallet
) -> None:
    """Add the grants that ``which`` selects to a wallet, each with its balances."""
    rows = await connection.execute(
        select(credit_grants).where(credit_grants.c.tenant_id == tenant_id, which)
    )
    for row in rows.mappings():
        balances = {account: row[account.value] for account in _HELD}
        wallet.restore(grant_from(row), balances | {Account.GRANTED: -row["amount"]})


async def _lock(connection: AsyncConnection, tenant_id: str) -> RowMapping:
    query = select(wallets).where(wallets.c.tenant_id == tenant_id).with_for_update()
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        row_to_add = insert(wallets).values(tenant_id=tenant_id).on_conflict_do_nothing()
        await connection.execute(row_to_add)
        row = (await connection.execute(query)).mappings().one()
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
