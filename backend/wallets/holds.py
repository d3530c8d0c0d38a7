"""Prepaid calls: reserve the greatest possible cost, then settle the actual one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import RowMapping, and_, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.credit.entries import Account
from backend.pricing.money import ZERO, exact_arithmetic
from backend.storage.tables import credit_reservations, ledger_entries
from backend.wallets.ledger import LockedWallet
from backend.wallets.recurring import current_wallet, look_again
from backend.wallets.top_ups import check_balance

LAPSE: Final = timedelta(hours=1)
"""How long a hold lasts whose gateway was killed."""

# Made once, for they run at each call on a prepaid plan
_IT = and_(
    credit_reservations.c.tenant_id == bindparam("of_tenant"),
    credit_reservations.c.id == bindparam("hold"),
)
_FIND = select(credit_reservations).where(_IT)
_CLOSE = (
    update(credit_reservations)
    .where(_IT)
    .values({name: bindparam(name) for name in ("state", "used", "uncovered")})
)


@dataclass(frozen=True, slots=True)
class Settled:
    """``used`` was taken from the wallet; ``uncovered`` was not in it, and is invoiced."""

    used: Decimal
    uncovered: Decimal


async def reserve(
    connection: AsyncConnection,
    tenant_id: str,
    hold: str,
    model: str,
    amount: Decimal,
    now: datetime,
) -> None:
    """Reserve ``amount`` for a call of ``model``, in burn order.

    ``now`` is when the call is made. Reserving again with the same name does nothing. Raises
    ``InsufficientCredit`` if there is less.
    """
    locked = await current_wallet(connection, tenant_id, now)
    if await find_hold(connection, tenant_id, hold) is not None:
        return
    held: dict[str, str] = {}
    if amount:
        entries = locked.wallet.reserve(hold, amount, locked.at, model)
        await locked.append(entries)
        held = {entry.grant_id: str(entry.amount) for entry in entries}
    await connection.execute(
        insert(credit_reservations),
        {
            "tenant_id": tenant_id,
            "id": hold,
            "model": model,
            "state": "open",
            "held": held,
            # Not the ledger's time, which the clock of another replica may have moved into the next
            # billing period: the call's usage is of this one
            "made_at": now,
            "lapses_at": locked.at + LAPSE,
        },
    )
    await check_balance(locked)


async def settle(
    connection: AsyncConnection, tenant_id: str, hold: str, cost: Decimal, now: datetime
) -> Settled:
    """Pay ``cost`` out of a hold and release the rest.

    What exceeds the hold, or all of it if the hold lapsed, is paid from what is
    available; a wallet never goes below zero, so a part can stay uncovered. Settling again returns
    the same. Raises ``KeyError`` for a hold that was never made.
    """
    locked = await current_wallet(connection, tenant_id, now)
    row = await find_hold(connection, tenant_id, hold)
    if row is None:
        raise KeyError(f"there is no hold {hold!r}")
    if row["state"] == "settled":
        return Settled(row["used"], row["uncovered"])
    return await _settle(locked, row, cost)


async def correct(
    connection: AsyncConnection, tenant_id: str, hold: str, cost: Decimal, now: datetime
) -> Settled:
    """Change the cost of a call to ``cost``, whatever it was settled at.

    What it took beyond that is returned to the grants that it was taken from, the last to burn
    first; what is missing is paid from what is available. Raises ``KeyError`` for a hold
    that was never made.
    """
    locked = await current_wallet(connection, tenant_id, now)
    row = await find_hold(connection, tenant_id, hold)
    if row is None:
        raise KeyError(f"there is no hold {hold!r}")
    if row["state"] == "open":
        return await _settle(locked, row, cost)
    used: Decimal = row["used"]
    with exact_arithmetic():
        if cost < used:
            by_grant = await _used_by(locked, hold)
            await locked.load(by_grant)
            back = locked.wallet.return_used(hold, by_grant, used - cost, locked.at)
            await locked.append(back)
            await look_again(locked, locked.at)  # it may be more than the plan's share
            used = cost
        else:
            used += await _spend(locked, row, cost - used)
        settled = Settled(used, cost - used)
    await _close(locked, row, "settled", settled)
    await check_balance(locked)
    return settled


async def release(connection: AsyncConnection, tenant_id: str, hold: str, now: datetime) -> None:
    """Release a hold; does nothing if it is closed or was never made."""
    locked = await current_wallet(connection, tenant_id, now)
    row = await find_hold(connection, tenant_id, hold)
    if row is None or row["state"] != "open":
        return
    await _draw_on(locked, row, ZERO)
    await _close(locked, row, "released", Settled(ZERO, ZERO))
    await check_balance(locked)


async def find_hold(connection: AsyncConnection, tenant_id: str, hold: str) -> RowMapping | None:
    """Return a hold's row; None if it was never made."""
    values = {"of_tenant": tenant_id, "hold": hold}
    return (await connection.execute(_FIND, values)).mappings().first()


async def _settle(locked: LockedWallet, row: RowMapping, cost: Decimal) -> Settled:
    used = await _draw_on(locked, row, cost)
    with exact_arithmetic():
        used += await _spend(locked, row, cost - used)
        settled = Settled(used, cost - used)
    await _close(locked, row, "settled", settled)
    await check_balance(locked)
    return settled


async def _used_by(locked: LockedWallet, hold: str) -> dict[str, Decimal]:
    """Return what a hold's call took of each grant, less what was returned since."""
    entries = ledger_entries.c
    query = select(entries.grant_id, entries.source, entries.target, entries.amount).where(
        entries.tenant_id == locked.tenant_id, entries.cause == hold
    )
    used: dict[str, Decimal] = {}
    for grant_id, source, target, amount in await locked.connection.execute(query):
        sign = (target == Account.USED.value) - (source == Account.USED.value)
        used[grant_id] = used.get(grant_id, ZERO) + sign * amount
    return {grant_id: amount for grant_id, amount in used.items() if amount}


async def _draw_on(locked: LockedWallet, row: RowMapping, cost: Decimal) -> Decimal:
    """Use up to ``cost`` of what is reserved and release the rest; return what was used."""
    held = {grant_id: Decimal(amount) for grant_id, amount in row["held"].items()}
    if row["state"] != "open" or not held:
        return ZERO
    locked.wallet.restore_hold(row["id"], held)
    with exact_arithmetic():
        taken = min(cost, sum(held.values(), ZERO))
    await locked.append(locked.wallet.settle(row["id"], taken, locked.at))
    return taken


async def _spend(locked: LockedWallet, row: RowMapping, amount: Decimal) -> Decimal:
    """Pay up to ``amount`` from what is available; return what could be paid."""
    within = min(amount, locked.wallet.available(locked.at, row["model"]))
    if within:
        await locked.append(locked.wallet.spend(row["id"], within, locked.at, row["model"]))
    return within


async def _close(locked: LockedWallet, row: RowMapping, state: str, settled: Settled) -> None:
    values = {"of_tenant": locked.tenant_id, "hold": row["id"]}
    values |= {"state": state, "used": settled.used, "uncovered": settled.uncovered}
    await locked.connection.execute(_CLOSE, values)
