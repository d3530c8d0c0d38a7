"""Credit that an operator gives, sells or refunds, and what calls used of it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.idempotency import claim_key
from backend.errors import InvalidInput
from backend.ids import new_id
from backend.pricing.credit.grants import Grant, GrantKind
from backend.pricing.periods import BillingPeriod
from backend.storage.tables import credit_reservations as calls
from backend.wallets.errors import CreditNotBought
from backend.wallets.queries import find_grant
from backend.wallets.recurring import current_wallet
from backend.wallets.top_ups import check_balance
from backend_client.types.wallets import CreditGrant, CreditGrantCreate


async def add_grant(
    connection: AsyncConnection,
    tenant_id: str,
    wanted: CreditGrantCreate,
    now: datetime,
    *,
    idempotency_key: str | None = None,
) -> CreditGrant:
    """Give a tenant credit. With an ``idempotency_key`` used before, return the grant of then.

    Raises ``InvalidInput`` if it would have expired already.
    """
    locked = await current_wallet(connection, tenant_id, now)
    if wanted.expires_at is not None and wanted.expires_at <= max(locked.at, now):
        detail = "is over already"
        raise InvalidInput.of_field("expires_at", detail)
    grant_id = new_id("grt")
    if idempotency_key is not None:
        request = f"grant {wanted.model_dump_json()}"
        recorded = await claim_key(connection, tenant_id, idempotency_key, request, grant_id)
        if recorded is not None:
            return await find_grant(connection, tenant_id, recorded)
    grant = Grant(
        grant_id,
        GrantKind(wanted.kind.value),
        wanted.amount,
        wanted.starts_at or locked.at,
        wanted.expires_at,
        wanted.priority,
        None if wanted.models is None else frozenset(wanted.models),
    )
    await locked.add_grant(grant, name=wanted.name, origin="operator")
    await check_balance(locked)
    return await find_grant(connection, tenant_id, grant_id)


async def refund_grant(
    connection: AsyncConnection, tenant_id: str, grant_id: str, now: datetime
) -> CreditGrant:
    """Take the rest of a bought grant out of the wallet, to be repaid. Again does nothing.

    Raises ``NotFound``, and ``Conflict`` for credit that was given.
    """
    locked = await current_wallet(connection, tenant_id, now)
    refunded = await find_grant(connection, tenant_id, grant_id)
    if refunded.kind != "paid":
        raise CreditNotBought()
    if grant_id in locked.wallet.grants:
        await locked.append(locked.wallet.refund(grant_id, locked.at))
    await check_balance(locked)
    return await find_grant(connection, tenant_id, grant_id)


async def used_by_calls(
    connection: AsyncConnection, tenant_id: str, period: BillingPeriod
) -> Decimal:
    """Return what prepaid calls took from the wallet in a period, by when they reserved it."""
    query = select(func.coalesce(func.sum(calls.c.used), 0)).where(
        calls.c.tenant_id == tenant_id,
        calls.c.made_at >= period.start,
        calls.c.made_at < period.end,
    )
    return Decimal(await connection.scalar(query) or 0)
