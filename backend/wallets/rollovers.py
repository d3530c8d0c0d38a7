"""What is left of credit when its term ends, carried on by a percentage for some months."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import update

from backend.accounts.tenants import find_tenant
from backend.pricing.credit.entries import LedgerEntry
from backend.pricing.credit.rollover import at_end_of_term
from backend.storage.tables import credit_grants
from backend.wallets.ledger import LockedWallet


async def roll_over(
    locked: LockedWallet, until: datetime, *, in_arrears: bool
) -> Sequence[LedgerEntry]:
    """Carry on the grants whose term ended by ``until``; return what expired of them.

    What is kept stays in its grant, which ends later, and never again carries anything on: no
    credit comes to be, so what was granted is still used, expired, refunded or there.
    """
    ended = locked.wallet.ended(until, in_arrears=in_arrears)
    if not any(grant.rollover for grant, _ in ended):
        return ()
    tenant = await find_tenant(locked.connection, locked.tenant_id)
    entries: list[LedgerEntry] = []
    for grant, left in ended:
        if grant.rollover is None:
            continue
        term = at_end_of_term(grant, left, tenant.time_zone, locked.at)
        await locked.connection.execute(
            update(credit_grants)
            .where(credit_grants.c.tenant_id == locked.tenant_id, credit_grants.c.id == grant.id)
            .values(
                expires_at=term.grant.expires_at,
                rollover_percent=None,
                rollover_months=None,
                rolled_over=term.kept,
            )
        )
        locked.wallet.append((), [term.grant])
        entries += term.expired
    await locked.append(entries)
    return entries
