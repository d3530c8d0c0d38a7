"""What prepaid calls took from the wallet in a period, and on what of it tax still falls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import ColumnElement, and_, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.money import ZERO, round_fraction
from backend.pricing.periods import BillingPeriod
from backend.storage.tables import credit_grants
from backend.storage.tables import credit_reservations as calls
from backend_client.types.wallets import GRANTED_BY_CONTRACT

_REDEEMED = text(
    """
    SELECT coalesce(sum(CASE WHEN entry.target = 'used' THEN entry.amount
                             WHEN entry.source = 'used' THEN -entry.amount END), 0)
    FROM credit_reservations AS call
    JOIN ledger_entries AS entry ON entry.tenant_id = call.tenant_id AND entry.cause = call.id
    JOIN credit_grants AS of_grant
        ON of_grant.tenant_id = entry.tenant_id AND of_grant.id = entry.grant_id
    WHERE call.tenant_id = :tenant_id AND call.made_at >= :start AND call.made_at < :end
        AND of_grant.kind = 'paid' AND of_grant.origin IN ('operator', 'top_up', 'contract')
        AND NOT of_grant.taxed_at_sale
    """
)


@dataclass(frozen=True, slots=True)
class UsedByCalls:
    """What calls took from the wallet, unrounded.

    ``redeemed`` is the part of it that was bought without tax, which falls on it now. The rest was
    taxed when it was sold, or was given away or brought by a plan: nobody paid for it so far.
    """

    amount: Decimal
    redeemed: Decimal

    def less_given(self, amount: Decimal) -> UsedByCalls:
        """Return the same without ``amount`` of what was given or brought by a plan."""
        return replace(self, amount=max(self.amount - amount, self.redeemed))

    def part_redeemed(self, amount: Decimal, currency: str) -> Decimal:
        """Return which part of ``amount``, what these calls paid of a bill, tax falls on."""
        if not self.redeemed:
            return ZERO
        return round_fraction(
            Fraction(amount) * Fraction(self.redeemed) / Fraction(self.amount), currency
        )


async def used_by_calls(
    connection: AsyncConnection, tenant_id: str, period: BillingPeriod
) -> UsedByCalls:
    """Return what prepaid calls took from the wallet in a period, by when they reserved it."""
    query = select(func.coalesce(func.sum(calls.c.used), 0)).where(
        calls.c.tenant_id == tenant_id,
        calls.c.made_at >= period.start,
        calls.c.made_at < period.end,
    )
    amount = Decimal(await connection.scalar(query) or 0)
    if not amount:
        return UsedByCalls(ZERO, ZERO)
    # Most wallets hold one kind of credit: then no entry of the ledger has to be read
    kinds = await connection.scalars(
        select(redeemable()).where(credit_grants.c.tenant_id == tenant_id).distinct()
    )
    match set(kinds):
        case taxed_now if taxed_now == {True}:
            return UsedByCalls(amount, amount)
        case taxed_now if True not in taxed_now:
            return UsedByCalls(amount, ZERO)
    values = {"tenant_id": tenant_id, "start": period.start, "end": period.end}
    return UsedByCalls(amount, Decimal(await connection.scalar(_REDEEMED, values) or 0))


def redeemable() -> ColumnElement[bool]:
    """Whether tax falls on a grant's credit as it is used: it was sold, and without tax."""
    return and_(
        credit_grants.c.kind == "paid",
        credit_grants.c.origin.in_(("operator", "top_up", GRANTED_BY_CONTRACT)),
        credit_grants.c.taxed_at_sale.is_(False),
    )
