"""Whether what was booked of a tenant comes to nothing, and says what it has and owes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounting.queries import read_journal
from backend.invoices.payments.applying import account_balance
from backend.pricing.money import exact_arithmetic, minor_digits, round_to_minor_unit
from backend_client.types.accounting import ChartOfAccounts
from backend_client.types.accounts import Tenant

CHART = ChartOfAccounts()

_INVOICES = text(
    """
    SELECT invoices.id, state, total - paid - credited AS due, paid, credited,
        written_off_at IS NOT NULL AS lost,
        (SELECT coalesce(sum(amount), 0) FROM payments
         WHERE payments.tenant_id = invoices.tenant_id AND invoice_id = invoices.id) AS moved,
        (SELECT coalesce(sum(credit_notes.total), 0) FROM credit_notes
         WHERE credit_notes.tenant_id = invoices.tenant_id AND invoice_id = invoices.id) AS noted,
        (SELECT coalesce(sum((part -> 'amount' ->> 'amount')::numeric), 0)
         FROM jsonb_array_elements(invoices.taxes) AS part) AS taxed,
        (SELECT coalesce(sum((part -> 'amount' ->> 'amount')::numeric), 0)
         FROM credit_notes, jsonb_array_elements(credit_notes.taxes) AS part
         WHERE credit_notes.tenant_id = invoices.tenant_id AND invoice_id = invoices.id)
         AS untaxed,
        (SELECT coalesce(sum(CASE WHEN entry.source = 'used' THEN -entry.amount
                                  ELSE entry.amount END), 0)
         FROM ledger_entries AS entry
         JOIN credit_grants AS of_grant
            ON of_grant.tenant_id = entry.tenant_id AND of_grant.id = entry.grant_id
         WHERE entry.tenant_id = invoices.tenant_id AND of_grant.kind = 'promotional'
            AND 'used' IN (entry.source, entry.target)
            AND (entry.cause = invoices.id OR entry.cause IN (
                SELECT id FROM credit_notes
                WHERE credit_notes.tenant_id = invoices.tenant_id AND invoice_id = invoices.id
                UNION ALL
                SELECT id FROM payments  -- of invoices below zero
                WHERE payments.tenant_id = invoices.tenant_id AND amount < 0
                    AND reference = invoices.number AND invoice_id <> invoices.id)))
         AS given
    FROM invoices WHERE tenant_id = :tenant
    """
)

_CASH = text(
    """
    SELECT coalesce((SELECT sum(amount) FROM payments
                     WHERE tenant_id = :tenant
                        AND method NOT IN ('balance', 'credit', 'top_up')), 0)
        -- Credit that was sold with its tax is refunded to the balance
        + coalesce((SELECT sum(tax) FROM invoices
                    WHERE tenant_id = :tenant AND kind = 'top_up'), 0)
        + coalesce((SELECT sum(to_balance - credit_notes.tax) FROM credit_notes
                    JOIN invoices ON invoices.tenant_id = credit_notes.tenant_id
                        AND invoices.id = invoice_id
                    WHERE credit_notes.tenant_id = :tenant AND kind = 'top_up'), 0)
        + coalesce((SELECT sum(round(amount, CAST(:digits AS int))
                               - round(refunded, CAST(:digits AS int))) FROM credit_grants
                    WHERE tenant_id = :tenant AND kind = 'paid' AND origin <> 'contract'), 0)
    """
)

_WALLET = text(
    """
    SELECT coalesce(sum(available + reserved), 0) AS left,
        -- Of what contracts granted, what was not asked for so far is owed by nobody
        coalesce(sum(amount) FILTER (WHERE origin = 'contract'), 0)
        - coalesce((SELECT sum(total) FROM invoices
                    WHERE tenant_id = :tenant AND kind = 'instalment' AND replaces IS NULL), 0)
        AS to_ask,
        bool_and(available + reserved + used + expired + refunded = amount) AS conserved
    FROM credit_grants WHERE tenant_id = :tenant AND kind = 'paid'
    """
)


async def reconcile(
    connection: AsyncConnection, tenant: Tenant, first: date, last: date, now: datetime
) -> dict[str, tuple[Decimal, Decimal]]:
    """Return what is in the books and what it should be, for each account where they differ.

    The books are made of documents and the ledger, what should be there of the states that acts
    leave behind. All entries, those of months to come too, lie between the months.
    """
    entries, _ = await read_journal(connection, first, last, tenant=tenant.id)
    books: defaultdict[str, Decimal] = defaultdict(Decimal)
    with exact_arithmetic():
        for entry in entries:
            assert sum(line.amount for line in entry.lines) == 0, entry
            for line in entry.lines:
                books[line.account] += line.amount
        should = await _should_be(connection, tenant, now)
    return {
        account: (books[account], amount)
        for account, amount in should.items()
        if books[account] != amount
    }


async def _should_be(
    connection: AsyncConnection, tenant: Tenant, now: datetime
) -> Mapping[str, Decimal]:
    values = {"tenant": tenant.id}
    owed: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in (await connection.execute(_INVOICES, values)).mappings():
        assert row["moved"] == row["paid"], row
        assert row["noted"] == row["credited"], row
        # What nobody paid for is no balance. Parts of a minor unit are the wallet's
        assert row["given"] - max(row["paid"], Decimal(0)) < Decimal("0.01"), row
        assert row["given"] >= 0, row
        if row["state"] == "void":
            assert (row["paid"], row["credited"]) == (0, 0), row
            continue
        owed[CHART.bad_debt if row["lost"] else CHART.receivable] += row["due"]
        owed[CHART.tax] += row["untaxed"] - row["taxed"]
    wallet = (await connection.execute(_WALLET, values)).mappings().one()
    assert wallet["conserved"] is not False
    # What is sold, and what is paid back of it, is booked in minor units each
    digits = {"digits": minor_digits(tenant.currency)}
    cash = Decimal(await connection.scalar(_CASH, values | digits) or 0)
    balance = await account_balance(connection, tenant, now)
    assert balance.balance.amount >= 0
    return {
        CHART.receivable: owed[CHART.receivable],
        CHART.bad_debt: owed[CHART.bad_debt],
        CHART.tax: owed[CHART.tax],
        CHART.cash: cash,
        CHART.customer_balance: -balance.balance.amount,
        CHART.prepaid_credit: wallet["to_ask"]
        - round_to_minor_unit(wallet["left"], tenant.currency),
    }
