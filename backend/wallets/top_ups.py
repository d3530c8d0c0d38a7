"""Buying credit: asked for by a person, or by the wallet's rule when little is left.

Farebox takes no payments. A top-up waits until its payment is reported.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.idempotency import claim_key
from backend.accounts.principal import Principal
from backend.accounts.tenants import find_tenant
from backend.ids import new_id
from backend.outbox.notices import Notice
from backend.outbox.platform_queue import Action, Fact, enqueue_for_platforms
from backend.outbox.queue import enqueue_notices
from backend.pricing.credit.entries import Account
from backend.pricing.credit.grants import Grant, GrantKind
from backend.pricing.credit.rules import TopUpRule
from backend.pricing.money import exact_arithmetic
from backend.storage.tables import top_ups, wallets
from backend.wallets.errors import TopUpAlreadyFinished, TopUpNotFound
from backend.wallets.ledger import LockedWallet, lock_wallet
from backend.wallets.recurring import current_wallet
from backend_client.types.notifications import (
    CreditAmount,
    NotificationKind,
    WalletLowBalance,
    WalletTopUpFailed,
    WalletTopUpRequested,
)
from backend_client.types.wallets import TopUp, TopUpCreate, TopUpOutcome

_log = structlog.get_logger(__name__)


class Sold(NamedTuple):
    """What a payment bought whose tax fell as it was made: the ``credit`` that the tax leaves."""

    credit: Decimal


async def refresh_and_check(connection: AsyncConnection, tenant_id: str, now: datetime) -> None:
    """Refresh a wallet up to ``now``, and check its balance."""
    await check_balance(await current_wallet(connection, tenant_id, now))


async def refresh_if_moved(connection: AsyncConnection, tenant_id: str, now: datetime) -> None:
    """Refresh a wallet up to ``now``, and check its balance if that moved credit.

    So a tenant that does not use the API is not asked for money every day.
    """
    locked = await current_wallet(connection, tenant_id, now)
    if locked.last_entry != locked.row["last_entry"]:
        await check_balance(locked)


async def check_balance(locked: LockedWallet) -> None:
    """Ask for a top-up if the wallet's rule says so, and record when the balance is low."""
    row = locked.row
    with exact_arithmetic():
        spendable = locked.wallet.available(locked.at)
        balance = spendable + locked.wallet.balance(Account.RESERVED)
    low = row["low_balance"] is not None and balance < row["low_balance"]
    if low != (row["low_since"] is not None):
        await locked.connection.execute(
            update(wallets)
            .where(wallets.c.tenant_id == locked.tenant_id)
            .values(low_since=locked.at if low else None)
        )
        if low:
            _log.warning("wallet.low", tenant_id=locked.tenant_id, balance=str(balance))
            await _notify_low(locked, balance)
    if row["top_up_threshold"] is not None and balance < row["top_up_threshold"]:
        await _ask_by_rule(locked, balance)


async def _ask_by_rule(locked: LockedWallet, balance: Decimal) -> None:
    row = locked.row
    rule = TopUpRule(row["top_up_threshold"], row["top_up_amount"], row["top_up_daily_ceiling"])
    tenant = await find_tenant(locked.connection, locked.tenant_id)
    today = locked.at.astimezone(ZoneInfo(tenant.time_zone)).date()
    sums = await locked.connection.execute(
        select(
            func.coalesce(
                func.sum(top_ups.c.amount).filter(
                    top_ups.c.automatic_on == today, top_ups.c.state != "failed"
                ),
                0,
            ),
            func.bool_or(top_ups.c.state == "pending"),
            # A failed one is not tried again the same day: a refused card stays refused
            func.bool_or((top_ups.c.automatic_on == today) & (top_ups.c.state == "failed")),
        ).where(top_ups.c.tenant_id == locked.tenant_id, top_ups.c.automatic_on.is_not(None))
    )
    bought, pending, failed = sums.one()
    amount = rule.due(balance, bought, pending=bool(pending or failed))
    if not amount:
        return
    top_up_id = new_id("top")
    await locked.connection.execute(
        insert(top_ups).values(
            tenant_id=locked.tenant_id,
            id=top_up_id,
            state="pending",
            amount=amount,
            automatic_on=today,
            asked_at=locked.at,
        )
    )
    # What a person asks for waits for that person to pay; this is taken from the saved method
    taken = Fact(locked.tenant_id, Action.TOP_UP, top_up_id, top_up_id, locked.at)
    await enqueue_for_platforms(locked.connection, [taken])
    _log.info("wallet.top_up_asked", tenant_id=locked.tenant_id, top_up_id=top_up_id)
    await _notify_top_up(locked, await find_top_up(locked.connection, tenant.id, top_up_id))


async def ask_for_top_up(
    connection: AsyncConnection,
    tenant_id: str,
    wanted: TopUpCreate,
    now: datetime,
    *,
    idempotency_key: str | None = None,
    by: Principal | None = None,
) -> TopUp:
    """Ask to buy credit. With an ``idempotency_key`` used before, return the top-up of then.

    ``by`` is whose act it is: the audit has it, once.
    """
    locked = await lock_wallet(connection, tenant_id, now)
    top_up_id = new_id("top")
    if idempotency_key is not None:
        request = f"top-up {wanted.model_dump_json()}"
        recorded = await claim_key(connection, tenant_id, idempotency_key, request, top_up_id)
        if recorded is not None:
            return await find_top_up(connection, tenant_id, recorded)
    await connection.execute(
        insert(top_ups).values(
            tenant_id=tenant_id,
            id=top_up_id,
            state="pending",
            amount=wanted.amount,
            asked_at=locked.at,
        )
    )
    top_up = await find_top_up(connection, tenant_id, top_up_id)
    await _notify_top_up(locked, top_up)
    if by is not None:
        await record(connection, by, "wallet.top_up", top_up_id, tenant_id=tenant_id)
    return top_up


async def finish_top_up(
    connection: AsyncConnection,
    tenant_id: str,
    top_up_id: str,
    outcome: TopUpOutcome,
    now: datetime,
    *,
    sold: Sold | None = None,
    by: Principal | None = None,
) -> TopUp:
    """Record the outcome of a payment; if it was paid, the credit is added at once, and only once.

    ``sold`` is what of the payment was credit, if its sale was taxed.
    ``by`` is whose act it is: the audit has it, once.

    Raises ``NotFound``, and ``Conflict`` if another outcome was recorded before.
    """
    locked = await current_wallet(connection, tenant_id, now)
    top_up = await find_top_up(connection, tenant_id, top_up_id)
    if top_up.state != "pending":
        if (top_up.state, top_up.reference) != (outcome.state, outcome.reference):
            raise TopUpAlreadyFinished(
                f"This top-up is {top_up.state} already, as {top_up.reference!r}."
            )
        return top_up
    await connection.execute(
        update(top_ups)
        .where(top_ups.c.tenant_id == tenant_id, top_ups.c.id == top_up_id)
        .values(state=outcome.state, reference=outcome.reference, done_at=locked.at)
    )
    if outcome.state == "paid":
        amount = top_up.amount if sold is None else sold.credit
        taxed = sold is not None
        grant = Grant(top_up_id, GrantKind.PAID, amount, locked.at, taxed_at_sale=taxed)
        await locked.add_grant(grant, name="Top-up", origin="top_up")
        await check_balance(locked)
    finished = await find_top_up(connection, tenant_id, top_up_id)
    if finished.state == "failed":
        await _notify_top_up(locked, finished)
    if by is not None:
        action = f"wallet.top_up.{finished.state}"
        await record(connection, by, action, top_up_id, tenant_id=tenant_id)
    return finished


async def _notify_low(locked: LockedWallet, balance: Decimal) -> None:
    tenant = await find_tenant(locked.connection, locked.tenant_id)
    data = WalletLowBalance(
        balance=CreditAmount(amount=balance, currency=tenant.currency),
        low_balance=CreditAmount(amount=locked.row["low_balance"], currency=tenant.currency),
    )
    # Named by the ledger's last entry: another one may have the same moment
    kind, subject = NotificationKind.WALLET_LOW_BALANCE, f"entry {locked.last_entry}"
    await enqueue_notices(locked.connection, [Notice(kind, tenant.id, subject, data, locked.at)])


async def _notify_top_up(locked: LockedWallet, of: TopUp) -> None:
    """Enqueue the notice that a top-up was asked for or, if so, that it failed."""
    tenant = await find_tenant(locked.connection, locked.tenant_id)
    data = WalletTopUpRequested(
        top_up_id=of.id,
        amount=CreditAmount(amount=of.amount, currency=tenant.currency),
        automatic=of.automatic_on is not None,
    )
    kind = NotificationKind.WALLET_TOP_UP_REQUESTED
    if of.state == "failed":
        kind = NotificationKind.WALLET_TOP_UP_FAILED
        data = WalletTopUpFailed(**data.model_dump(), reference=of.reference or "")
    await enqueue_notices(locked.connection, [Notice(kind, tenant.id, of.id, data, locked.at)])


async def find_top_up(connection: AsyncConnection, tenant_id: str, top_up_id: str) -> TopUp:
    """Return one of the tenant's top-ups; raise ``NotFound``."""
    query = select(top_ups).where(top_ups.c.tenant_id == tenant_id, top_ups.c.id == top_up_id)
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise TopUpNotFound()
    return top_up_from(row)


def top_up_from(row: RowMapping) -> TopUp:
    """Return a row with the columns of ``top_ups`` as a top-up."""
    return TopUp.model_validate(dict(row))
