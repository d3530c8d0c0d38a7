"""Credit that nobody paid for and that paid a bill: it goes back into its grants, not into money.

What a bill used of it has the bill's id as its cause. What takes the bill back, a credit note or
the bill itself once it is void, is the cause of what goes back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.credit.entries import Account
from backend.pricing.credit.grants import GrantKind
from backend.pricing.money import ZERO, exact_arithmetic, round_to_minor_unit, whole_minor_units
from backend.storage.tables import credit_grants, ledger_entries
from backend.wallets.ledger import lock_wallet
from backend.wallets.recurring import look_again
from backend.wallets.top_ups import check_balance
from backend_client.types.accounts import Tenant


@dataclass(frozen=True, slots=True)
class GivenCredit:
    """What a bill used of credit that nobody paid for: ``amount`` in minor units, exact by grant.

    The rest of what credit paid of the bill was bought, and is rounded.
    """

    amount: Decimal
    by_grant: dict[str, Decimal]


async def given_credit(
    connection: AsyncConnection, tenant: Tenant, bill: str, taken_back_by: Collection[str] = ()
) -> GivenCredit:
    """Return what a bill used of credit that was given, as it was paid.

    ``by_grant`` is less what went back since, by the acts ``taken_back_by``.
    """
    entries = ledger_entries.c
    back = entries.source == Account.USED.value
    query = (
        select(
            entries.grant_id,
            credit_grants.c.kind,
            func.sum(case((back, ZERO), else_=entries.amount)).label("used"),
            func.sum(case((back, entries.amount), else_=ZERO)).label("back"),
        )
        .join(
            credit_grants,
            (credit_grants.c.tenant_id == entries.tenant_id)
            & (credit_grants.c.id == entries.grant_id),
        )
        .where(
            entries.tenant_id == tenant.id,
            entries.cause.in_([bill, *taken_back_by]),
            or_(back, entries.target == Account.USED.value),
        )
        .group_by(entries.grant_id, credit_grants.c.kind)
    )
    paid = bought = ZERO
    by_grant: dict[str, Decimal] = {}
    with exact_arithmetic():
        for row in await connection.execute(query):
            paid += row.used
            if row.kind == GrantKind.PAID:
                bought += row.used
            elif row.used > row.back:
                by_grant[row.grant_id] = row.used - row.back
        amount = paid - round_to_minor_unit(bought, tenant.currency)
    return GivenCredit(amount, by_grant)


async def give_back(
    connection: AsyncConnection,
    tenant: Tenant,
    given: GivenCredit,
    amount: Decimal,
    cause: str,
    now: datetime,
) -> None:
    """Put up to ``amount`` of what a bill used back, the last to burn first.

    What returns to a grant that is over expires with it. ``cause`` is what takes the bill back.
    """
    # Not refreshed before: what goes back to a grant that is over must not expire beforehand
    locked = await lock_wallet(connection, tenant.id, now)
    await locked.load(given.by_grant)
    with exact_arithmetic():
        within = min(amount, sum(given.by_grant.values(), ZERO))
    if within > 0:
        used = locked.wallet.return_used(cause, given.by_grant, within, locked.at)
        await locked.append(used)
        await look_again(locked, locked.at)  # it may be more than the plan's share


async def pay_again(
    connection: AsyncConnection,
    tenant: Tenant,
    cause: str,
    given_back_by: str,
    amount: Decimal,
    now: datetime,
) -> Decimal:
    """Pay up to ``amount`` of a bill from what an act gave back; return what it paid.

    The bill takes the place of the act: so it may use what has expired since. It pays whole minor
    units. ``cause`` is the bill's id; not to be repeated.
    """
    entries = ledger_entries.c
    query = (
        select(entries.grant_id, func.sum(entries.amount).label("back"))
        .where(
            entries.tenant_id == tenant.id,
            entries.cause == given_back_by,
            entries.source == Account.USED.value,
        )
        .group_by(entries.grant_id)
    )
    returned = {row.grant_id: row.back for row in await connection.execute(query)}
    if not returned:
        return ZERO
    locked = await lock_wallet(connection, tenant.id, now)
    await locked.load(returned)
    shares: defaultdict[str, Decimal] = defaultdict(Decimal)
    with exact_arithmetic():
        for grant_id, part in returned.items():
            left = locked.wallet.balance(Account.AVAILABLE, grant_id)
            expired = locked.wallet.balance(Account.EXPIRED, grant_id)
            shares[grant_id] = min(part, left + expired)
        within = min(amount, whole_minor_units(sum(shares.values(), ZERO), tenant.currency))
    if within <= 0:
        return ZERO
    await locked.append(locked.wallet.pay_again(cause, within, shares, locked.at))
    await check_balance(locked)
    return within
