"""Credit that an operator gives, sells or refunds."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.idempotency import claim_key
from backend.accounts.principal import Principal
from backend.errors import InvalidInput
from backend.ids import new_id
from backend.pricing.credit.grants import Grant, GrantKind, Rollover
from backend.wallets.errors import CreditNotBought, CreditOfContract
from backend.wallets.queries import find_grant
from backend.wallets.recurring import current_wallet
from backend.wallets.top_ups import check_balance
from backend_client.types.wallets import (
    GRANTED_BY_CONTRACT,
    CreditGrant,
    CreditGrantCreate,
)


async def add_grant(
    connection: AsyncConnection,
    tenant_id: str,
    wanted: CreditGrantCreate,
    now: datetime,
    *,
    idempotency_key: str | None = None,
    by: Principal | None = None,
) -> CreditGrant:
    """Give a tenant credit. With an ``idempotency_key`` used before, return the grant of then.

    ``by`` is whose act it is: the audit has it, once.

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
        wanted.in_arrears,
        None
        if wanted.rollover_months is None or wanted.rollover_percent is None
        else Rollover(wanted.rollover_percent, wanted.rollover_months),
    )
    await locked.add_grant(grant, name=wanted.name, origin="operator")
    if by is not None:
        await record(connection, by, "wallet.grant", grant_id, tenant_id=tenant_id)
    await check_balance(locked)
    return await find_grant(connection, tenant_id, grant_id)


async def refund_grant(
    connection: AsyncConnection,
    tenant_id: str,
    grant_id: str,
    now: datetime,
    *,
    amount: Decimal | None = None,
    by: Principal | None = None,
) -> CreditGrant:
    """Take the rest of a bought grant out of the wallet, to be repaid. Again does nothing.

    With ``amount`` that is taken of it, each time. ``by`` is whose act it is: the audit has what
    was taken.

    Raises ``NotFound``, and ``Conflict`` for credit that was given or that a contract brought.
    """
    locked = await current_wallet(connection, tenant_id, now)
    refunded = await find_grant(connection, tenant_id, grant_id)
    if refunded.kind != "paid":
        raise CreditNotBought()
    if refunded.origin == GRANTED_BY_CONTRACT:
        raise CreditOfContract()
    live = grant_id in locked.wallet.grants
    taken = locked.wallet.refund(grant_id, locked.at, amount) if live else []
    await locked.append(taken)
    if taken and by is not None:
        await record(connection, by, "wallet.refund", grant_id, tenant_id=tenant_id)
    await check_balance(locked)
    return await find_grant(connection, tenant_id, grant_id)
