"""Bought credit of some tenants, as it is booked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounting.gathering import BookMonths
from backend.accounting.rules.documents import BookedWallet, CreditMonth, CreditMovement
from backend.pricing.money import ZERO, round_to_minor_unit

_MONTHS = text(
    """
    SELECT entry.tenant_id,
        date_trunc('month', entry.at AT TIME ZONE :zone)::date AS month,
        sum(CASE WHEN entry.target = 'used' THEN entry.amount
                 WHEN entry.source = 'used' THEN -entry.amount ELSE 0 END)
            FILTER (WHERE invoices.id IS NULL AND payments.id IS NULL) AS burnt,
        sum(entry.amount) FILTER (WHERE entry.target = 'expired') AS expired
    FROM ledger_entries AS entry
    JOIN credit_grants AS of_grant
        ON of_grant.tenant_id = entry.tenant_id AND of_grant.id = entry.grant_id
    LEFT JOIN invoices
        ON invoices.tenant_id = entry.tenant_id AND invoices.id = entry.cause
    LEFT JOIN payments
        ON payments.tenant_id = entry.tenant_id AND payments.id = entry.cause
    WHERE entry.tenant_id = ANY(:tenants) AND of_grant.kind = 'paid' AND entry.at < :until
        AND (entry.target IN ('used', 'expired') OR entry.source = 'used')
    GROUP BY entry.tenant_id, month
    """
).bindparams(bindparam("tenants", type_=ARRAY(Text)))
"""What each month moved of credit that was bought, but for what paid bills.

The cause of what paid a bill is the invoice, and of what paid it when it was overdue the payment.
"""

_APPLIED = text(
    """
    SELECT entry.tenant_id, entry.cause,
        date_trunc('month', entry.at AT TIME ZONE :zone)::date AS month,
        sum(entry.amount) AS amount
    FROM ledger_entries AS entry
    JOIN credit_grants AS of_grant
        ON of_grant.tenant_id = entry.tenant_id AND of_grant.id = entry.grant_id
    LEFT JOIN invoices
        ON invoices.tenant_id = entry.tenant_id AND invoices.id = entry.cause
    LEFT JOIN payments
        ON payments.tenant_id = entry.tenant_id AND payments.id = entry.cause
    WHERE entry.tenant_id = ANY(:tenants) AND of_grant.kind = 'paid' AND entry.at < :until
        AND entry.target = 'used' AND (invoices.id IS NOT NULL OR payments.id IS NOT NULL)
    GROUP BY entry.tenant_id, entry.cause, month
    ORDER BY month
    """
).bindparams(bindparam("tenants", type_=ARRAY(Text)))
"""What bought credit paid of each bill, by month: parts of a minor unit where given credit paid the
rest."""

_MOVEMENTS = text(
    """
    SELECT entry.tenant_id, entry.grant_id, of_grant.name, entry.at, entry.amount,
        entry.target = 'refunded' AS refund
    FROM ledger_entries AS entry
    JOIN credit_grants AS of_grant
        ON of_grant.tenant_id = entry.tenant_id AND of_grant.id = entry.grant_id
    WHERE entry.tenant_id = ANY(:tenants) AND of_grant.kind = 'paid' AND entry.at < :until
        AND (entry.source = 'granted' OR entry.target = 'refunded')
        AND of_grant.origin <> 'contract'
    ORDER BY entry.tenant_id, entry.number
    """
).bindparams(bindparam("tenants", type_=ARRAY(Text)))

_INSTALMENTS = text(
    """
    SELECT tenant_id, id, number, total, issued_at FROM invoices
    WHERE tenant_id = ANY(:tenants) AND kind = 'instalment' AND replaces IS NULL
        AND issued_at < :until
    ORDER BY tenant_id, issued_at, id
    """
).bindparams(bindparam("tenants", type_=ARRAY(Text)))
"""What was asked for of credit that contracts brought: it is sold as that is, and not granted."""

_WALLETS = text(
    "SELECT id, slug, currency FROM tenants WHERE id = ANY(:tenants) ORDER BY id"
).bindparams(bindparam("tenants", type_=ARRAY(Text)))


async def read_wallets(
    connection: AsyncConnection, tenant_ids: Sequence[str], months: BookMonths
) -> list[BookedWallet]:
    """Return the wallets of tenants that ever bought credit, until the end of the months."""
    values = {"tenants": list(tenant_ids), "until": months.until}
    movements: defaultdict[str, list[CreditMovement]] = defaultdict(list)
    for row in await connection.execute(_MOVEMENTS, values):
        movements[row.tenant_id].append(
            CreditMovement(
                row.grant_id, row.name, row.amount, months.day(row.at), refund=row.refund
            )
        )
    for row in await connection.execute(_INSTALMENTS, values):
        movements[row.tenant_id].append(
            CreditMovement(row.id, row.number, row.total, months.day(row.issued_at), invoiced=True)
        )
    by_month: defaultdict[str, defaultdict[date, CreditMonth]] = defaultdict(
        lambda: defaultdict(CreditMonth)
    )
    values |= {"zone": months.zone.key}
    for row in await connection.execute(_MONTHS, values):
        by_month[row.tenant_id][row.month] = CreditMonth(
            burnt=row.burnt or ZERO, expired=row.expired or ZERO
        )
    applied_to = (await connection.execute(_APPLIED, values)).all()
    # Credit of a contract may be used before its first instalment is asked for
    moving = {*movements, *by_month, *(row.tenant_id for row in applied_to)}
    tenants = (await connection.execute(_WALLETS, {"tenants": sorted(moving)})).all()
    currencies = {row.id: row.currency for row in tenants}
    paid: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in applied_to:
        moved = by_month[row.tenant_id][row.month]
        bill, currency = (row.tenant_id, row.cause), currencies[row.tenant_id]
        before = round_to_minor_unit(paid[bill], currency)
        paid[bill] += row.amount
        applied = round_to_minor_unit(paid[bill], currency) - before
        by_month[row.tenant_id][row.month] = replace(
            moved,
            applied=moved.applied + applied,
            burnt=moved.burnt + row.amount - applied,  # it is gone all the same
        )
    return [
        BookedWallet(row.id, row.slug, row.currency, movements[row.id], by_month[row.id])
        for row in tenants
    ]
