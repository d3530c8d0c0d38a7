"""Amounts that meet debts: balance and bought credit pay invoices that are open already.

When an invoice is issued, what there is then pays it. What comes later, a credit note, an invoice
below zero, a top-up, would lie beside what is still to be paid, and the customer be reminded of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Integer, RowMapping, Text, bindparam, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.idempotency import claim_key
from backend.accounts.principal import Principal
from backend.accounts.tenants import find_tenant
from backend.errors import FareboxError
from backend.invoices.drafts.billing_cursors import Unbilled, unbilled
from backend.invoices.errors import AmountOverAvailable, AmountOverDue, NothingToApply
from backend.invoices.issuing.issuing import BALANCE, CREDIT, balances_of, payment_row
from backend.invoices.payments.credit_sales import pay_from_taxed_credit
from backend.invoices.rules.lifecycle import Balance, due
from backend.invoices.settling import lock_invoice, settle
from backend.pricing.errors import TooManyDecimals
from backend.pricing.money import MINOR_DIGITS, ZERO, minor_digits, money, round_to_minor_unit
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import invoices, payments
from backend.subscriptions.rated_elsewhere import rated_elsewhere
from backend.wallets.bills import pay_more_from_credit, pay_overdue_from_credit
from backend_client.types.accounts import Tenant
from backend_client.types.balance import AccountBalance
from backend_client.types.common import plain
from backend_client.types.invoices import ApplyToInvoice, InvoiceKind, InvoiceState

_log = structlog.get_logger(__name__)

_CANDIDATES = text(
    """
    SELECT DISTINCT tenant_id FROM invoices
    JOIN tenants ON tenants.id = invoices.tenant_id
    LEFT JOIN unnest(:currencies, :digits) AS minor (currency, digits)
        ON minor.currency = tenants.currency
    WHERE state = 'finalized' AND total > paid + credited
        AND CASE WHEN CAST(:only AS text) IS NULL
            THEN invoices.tenant_id NOT IN (SELECT tenant_id FROM test_clocks)
            ELSE invoices.tenant_id = :only END AND (
        0 < (
            SELECT -sum(amount) FROM payments
            WHERE payments.tenant_id = invoices.tenant_id AND method = 'balance'
        )
        OR due_at <= :now AND power(10::numeric, -coalesce(minor.digits, 2)) <= (
            SELECT sum(available) FROM credit_grants
            WHERE credit_grants.tenant_id = invoices.tenant_id AND kind = 'paid'
                AND models IS NULL AND NOT in_arrears AND available > 0
                AND (expires_at IS NULL OR expires_at > :now)
        )
    )
    ORDER BY tenant_id
    """
).bindparams(
    bindparam("currencies", list(MINOR_DIGITS), type_=ARRAY(Text)),
    bindparam("digits", list(MINOR_DIGITS.values()), type_=ARRAY(Integer)),
    bindparam("only", type_=Text),
)
"""Tenants with an invoice to pay and something that may pay it: a minor unit of credit or more.

Invoices of tenants that were removed stay, and nothing is applied to them any more.
"""

_CAN_NOT_BE_APPLIED = (FareboxError, ValueError, ArithmeticError, LookupError)


class Applied(NamedTuple):
    """What paid a part of an open invoice: the balance, or credit."""

    tenant_id: str
    invoice_id: str
    method: str
    amount: Decimal


async def apply_to_all(
    database: Database, settings: Settings, now: datetime, *, only: str | None = None
) -> list[Applied]:
    """Let what tenants have pay what they owe; return what was paid. May be repeated.

    Or what ``only`` one has, also one on a test clock.

    A tenant for whom that fails is logged, and delays neither the others nor the reminders.
    """
    async with database.begin() as connection:
        tenant_ids = await may_pay(connection, now, only=only)
    applied: list[Applied] = []
    for tenant_id in tenant_ids:
        try:
            async with database.begin() as connection:
                tenant = await find_tenant(connection, tenant_id)
                parts = await apply_to_open(connection, settings, tenant, now)
        except _CAN_NOT_BE_APPLIED:
            _log.exception("invoices.not_applied", tenant=tenant_id)
        else:
            applied += parts
    return applied


async def may_pay(
    connection: AsyncConnection, now: datetime, *, only: str | None = None
) -> Sequence[str]:
    """Return the tenants that owe something and have something that may pay it, by their ids."""
    return (await connection.scalars(_CANDIDATES, {"now": now, "only": only})).all()


async def apply_to_open(
    connection: AsyncConnection, settings: Settings, tenant: Tenant, now: datetime
) -> list[Applied]:
    """Pay a tenant's open invoices, those that are due first; return what was paid.

    The balance pays any of them, credit that was bought what is overdue: before that it is for the
    calls that it was bought for. Credit that was given or that a plan brought pays no debt. None
    does while a platform rates the tenant's usage: its own invoices may draw on the same credit.
    """
    await unbilled(connection, tenant.id, lock=True)  # nobody else draws on the balance meanwhile
    rows = await _open(connection, tenant.id)
    balance = (await balances_of(connection, [tenant.id])).get(tenant.id, ZERO)
    draws_credit = not any(
        starts_at <= now and (ends_at is None or now < ends_at)
        for starts_at, ends_at in (await rated_elsewhere(connection, [tenant.id]))[tenant.id]
    )
    applied: list[Applied] = []
    for row in rows:
        asked = due(InvoiceState(row["state"]), Balance(row["total"], row["paid"], row["credited"]))
        parts = []
        drawn = min(balance, asked)
        if drawn > 0:
            parts.append(_part(row, drawn, BALANCE, now))
            balance -= drawn
        left = asked - max(drawn, ZERO)
        if draws_credit and row["due_at"] <= now and left > 0:
            part = _part(row, left, CREDIT, now)
            part["amount"] = await pay_overdue_from_credit(
                connection, tenant, part["id"], left, now
            )
            if part["amount"]:
                parts.append(part)
        if parts:
            await connection.execute(insert(payments), parts)
            paid = sum((part["amount"] for part in parts), row["paid"])
            await settle(connection, row, now, paid=paid)
            applied += [
                Applied(tenant.id, row["id"], part["method"], part["amount"]) for part in parts
            ]
        if draws_credit and row["due_at"] <= now:
            taxed = await pay_from_taxed_credit(connection, settings, tenant, row["id"], now)
            if taxed:
                applied.append(Applied(tenant.id, row["id"], BALANCE, taxed))
    return applied


async def apply_to_parts(
    connection: AsyncConnection, closed: Sequence[Unbilled], now: datetime
) -> None:
    """Let what is left of the credit of periods that were just invoiced pay their open parts.

    When those were issued, the credit that plans bring in arrears was earned in part only. Credit
    leaves what the balance will pay of them: money that came back would stand in for it otherwise.
    """
    starts = {due.tenant.id: due for due in closed}
    query = (
        select(invoices)
        .where(
            invoices.c.tenant_id.in_(list(starts)),
            invoices.c.period_start.in_([due.period.start for due in closed]),
            invoices.c.kind == InvoiceKind.PROGRESSIVE.value,
            invoices.c.state == InvoiceState.FINALIZED.value,
            invoices.c.total > invoices.c.paid + invoices.c.credited,
        )
        .order_by(invoices.c.tenant_id, invoices.c.due_at, invoices.c.id)
        .with_for_update()
    )
    rows = (await connection.execute(query)).mappings().all()
    balances = await balances_of(connection, list({row["tenant_id"] for row in rows}))
    for row in rows:
        of = starts[row["tenant_id"]]
        if of.period.start != row["period_start"]:
            continue
        part = _part(row, row["total"] - row["paid"] - row["credited"], CREDIT, now)
        by_balance = min(balances.get(row["tenant_id"], ZERO), part["amount"])
        if by_balance > 0:
            balances[row["tenant_id"]] -= by_balance
            part["amount"] -= by_balance
        if not part["amount"]:
            continue
        part["amount"] = await pay_more_from_credit(
            connection, of.tenant, row["id"], part["amount"], of.period, now
        )
        if part["amount"]:
            await connection.execute(insert(payments), [part])
            await settle(connection, row, now, paid=row["paid"] + part["amount"])


async def apply_by_hand(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    invoice_id: str,
    wanted: ApplyToInvoice,
    now: datetime,
    *,
    idempotency_key: str | None = None,
    by: Principal | None = None,
) -> None:
    """Let the balance or bought credit pay an invoice, overdue or not, before others.

    With an ``idempotency_key`` used before nothing happens. ``by`` is whose act it is: the audit
    has it, once. Raises ``NotFound``; ``InvalidInput`` for more than there is or is due;
    ``Conflict`` if nothing could be paid.
    """
    await unbilled(connection, tenant.id, lock=True)
    row = await lock_invoice(connection, tenant.id, invoice_id)
    part = _part(row, ZERO, wanted.source, now)
    if idempotency_key is not None:
        request = f"apply {invoice_id} {wanted.model_dump_json()}"
        if await claim_key(connection, tenant.id, idempotency_key, request, part["id"]):
            return
    asked = due(InvoiceState(row["state"]), Balance(row["total"], row["paid"], row["credited"]))
    most = asked if wanted.amount is None else wanted.amount
    if round_to_minor_unit(most, tenant.currency) != most:
        decimals = f"{tenant.currency} has {minor_digits(tenant.currency)} decimals"
        raise TooManyDecimals.of_field("amount", decimals)
    if most > asked:
        raise AmountOverDue.of_field("amount", f"is more than the {plain(asked)} that are due")
    if wanted.source == BALANCE:
        amount = min(most, (await balances_of(connection, [tenant.id])).get(tenant.id, ZERO))
    else:
        amount = await pay_overdue_from_credit(connection, tenant, part["id"], most, now)
    if amount > 0:
        await connection.execute(insert(payments).values(**part | {"amount": amount}))
        await settle(connection, row, now, paid=row["paid"] + amount)
    if wanted.source == CREDIT and amount < most:
        amount += await pay_from_taxed_credit(
            connection, settings, tenant, invoice_id, now, most=most - amount
        )
    if wanted.amount is not None and amount < wanted.amount:
        raise AmountOverAvailable.of_field(
            "amount", f"is more than the {plain(amount)} that there are"
        )
    if amount <= 0:
        raise NothingToApply()
    if by is not None:
        detail: dict[str, object] = {"source": wanted.source, "amount": plain(amount)}
        await record(
            connection, by, "invoice.apply", invoice_id, tenant_id=tenant.id, detail=detail
        )


async def account_balance(
    connection: AsyncConnection, tenant: Tenant, now: datetime
) -> AccountBalance:
    """Return what a customer has with the seller, and what it owes."""
    rows = await _open(connection, tenant.id, lock=False)
    owed = overdue = ZERO
    for row in rows:
        asked = row["total"] - row["paid"] - row["credited"]
        owed += asked
        overdue += asked if row["due_at"] <= now else ZERO
    balance = (await balances_of(connection, [tenant.id])).get(tenant.id, ZERO)
    return AccountBalance(
        balance=money(balance, tenant.currency),
        owed=money(owed, tenant.currency),
        overdue=money(overdue, tenant.currency),
        open_invoices=len(rows),
        next_due_at=min((row["due_at"] for row in rows), default=None),
    )


async def _open(
    connection: AsyncConnection, tenant_id: str, *, lock: bool = True
) -> Sequence[RowMapping]:
    """Return a tenant's invoices that ask for something, in the order in which they fall due."""
    query = (
        select(invoices)
        .where(
            invoices.c.tenant_id == tenant_id,
            invoices.c.state == InvoiceState.FINALIZED.value,
            invoices.c.total > invoices.c.paid + invoices.c.credited,
        )
        .order_by(invoices.c.due_at, invoices.c.id)
    )
    rows = await connection.execute(query.with_for_update() if lock else query)
    return rows.mappings().all()


def _part(row: RowMapping, amount: Decimal, method: str, now: datetime) -> dict[str, Any]:
    """Return the row of a payment, whose own id is its reference: an invoice may have several."""
    payment = payment_row(row, amount, method, "", now)
    return payment | {"reference": f"{row['number']} {payment['id']}"}
