"""Issue invoices: number them, store them for good, draw on the customer's balance.

All in the caller's transaction, so that there is no number without an invoice, and no invoice
without its lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Text, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.customers.profiles import on_top, seller
from backend.ids import new_id
from backend.invoices.issuing.below_zero import coming_back
from backend.invoices.issuing.numbering import invoice_series, receipt_series, take_numbers
from backend.invoices.rules.lifecycle import Balance, due_date
from backend.invoices.rules.lines import ComposedLine
from backend.invoices.rules.methods import BALANCE as BALANCE
from backend.invoices.rules.methods import CREDIT as CREDIT
from backend.invoices.rules.methods import OWN_METHODS as OWN_METHODS
from backend.invoices.rules.methods import TOP_UP as TOP_UP
from backend.invoices.rules.notices import issued_notices
from backend.invoices.taxing.deciding import InvoiceTax
from backend.invoices.taxing.untaxed import Untaxed
from backend.outbox.platform_queue import Action, Fact, enqueue_for_platforms
from backend.outbox.queue import enqueue_notices
from backend.pricing.money import exact_arithmetic
from backend.settings import Settings
from backend.storage.tables import invoice_lines, invoices, payments
from backend.wallets.bills import pay_from_credit, pay_more_from_credit, with_credit
from backend.wallets.given import give_back, pay_again
from backend_client.types.invoices import InvoiceKind, InvoiceState

_FINALIZE = text(
    """
    UPDATE invoices SET state = issued.state, paid = issued.paid, paid_at = issued.paid_at
    FROM unnest(:tenants, :ids, :states, :paid, :moments)
        AS issued (tenant_id, id, state, paid, paid_at)
    WHERE invoices.tenant_id = issued.tenant_id AND invoices.id = issued.id
    """
).bindparams(
    bindparam("tenants", type_=ARRAY(Text)),
    bindparam("ids", type_=ARRAY(Text)),
    bindparam("states", type_=ARRAY(Text)),
    bindparam("paid", type_=ARRAY(invoices.c.paid.type)),
    bindparam("moments", type_=ARRAY(invoices.c.paid_at.type)),
)


class Received(NamedTuple):
    """How money came or went: the method and its reference."""

    method: str
    reference: str


@dataclass(frozen=True, slots=True)
class ToIssue:
    """An invoice that lacks only its number.

    ``net_days`` are those of the invoice that it replaces or of the contract; with None the
    profile's apply. ``reverses`` is a credit note that it takes back. Credit in the wallet pays it
    at once only if it ``draws_credit``: that is for usage, and not for what else is sold. What went
    back there with the invoice that it replaces, or with the note, pays it in any case. What was
    ``received`` for it before it was issued pays all of it, and nothing else does. A ``receipt``
    has a series of its own.
    """

    of: Untaxed
    tax: InvoiceTax
    replaces: str | None = None
    net_days: int | None = None
    reverses: str | None = None
    draws_credit: bool = True
    received: Received | None = None
    receipt: bool = False


async def issue(
    connection: AsyncConnection, settings: Settings, wanted: Sequence[ToIssue], now: datetime
) -> None:
    """Issue invoices, at most one for each tenant. The caller holds the tenants' cursors.

    Credit in the customer's wallet pays first, since it may expire, then the balance. An invoice
    that asks for nothing is paid at once; one below zero is added to the balance, but what credit
    that was given away had paid of what it takes back goes into the wallet again.
    """
    if not wanted:
        return
    series = {
        invoice.of.id: (receipt_series if invoice.receipt else invoice_series)(
            settings.invoice_prefix, invoice.of.tenant.slug
        )
        for invoice in wanted
    }
    numbers = await take_numbers(connection, series.values())
    rows = [_row(invoice, numbers[series[invoice.of.id]], settings, now) for invoice in wanted]
    await connection.execute(insert(invoices), rows)
    lines = [
        _line(invoice.of, number, line)
        for invoice in wanted
        for number, line in enumerate(invoice.of.lines, start=1)
    ]
    await connection.execute(insert(invoice_lines), lines)
    own = await _pay_at_once(connection, wanted, rows, now)
    paid = {
        row["id"]: sum((payment["amount"] for payment in own[row["id"]]), Decimal(0))
        for row in rows
    }
    settled = {row["id"]: Balance(row["total"], paid[row["id"]]).settled for row in rows}
    await connection.execute(
        _FINALIZE,
        {
            "tenants": [row["tenant_id"] for row in rows],
            "ids": [row["id"] for row in rows],
            "states": [
                (InvoiceState.PAID if settled[row["id"]] else InvoiceState.FINALIZED).value
                for row in rows
            ],
            "paid": [paid[row["id"]] for row in rows],
            "moments": [now if settled[row["id"]] else None for row in rows],
        },
    )
    own_payments = [payment for payments_of in own.values() for payment in payments_of]
    if own_payments:
        await connection.execute(insert(payments), own_payments)
    await enqueue_for_platforms(
        connection,
        [
            Fact(row["tenant_id"], Action.INVOICE, row["id"], row["id"], now)
            for row in rows
            if row["kind"] != InvoiceKind.TOP_UP  # paid already, there or elsewhere
        ],
    )
    await enqueue_notices(
        connection,
        [
            notice
            for invoice, row in zip(wanted, rows, strict=True)
            if not invoice.receipt
            for notice in issued_notices(row, paid[row["id"]], settled=settled[row["id"]])
        ],
    )


async def _pay_at_once(
    connection: AsyncConnection,
    wanted: Sequence[ToIssue],
    rows: Sequence[dict[str, Any]],
    now: datetime,
) -> dict[str, list[dict[str, Any]]]:
    """Return the payments from credit and balance on each invoice, by its id."""
    tenant_ids = [row["tenant_id"] for row in rows]
    balances = await balances_of(connection, tenant_ids)
    since = min(invoice.of.period.start for invoice in wanted)
    have_credit = await with_credit(connection, tenant_ids, since, now)
    payments_by_invoice: dict[str, list[dict[str, Any]]] = {}
    for invoice, row in zip(wanted, rows, strict=True):
        own = payments_by_invoice.setdefault(row["id"], [])
        left = row["total"]
        if invoice.received is not None:
            own.append(payment_row(row, left, *invoice.received, now))
            continue
        credit = await _again_from_credit(connection, invoice, left, now)
        if left > credit and invoice.draws_credit and row["tenant_id"] in have_credit:
            pay = pay_more_from_credit if credit else pay_from_credit
            credit += await pay(
                connection, invoice.of.tenant, row["id"], left - credit, invoice.of.period, now
            )
        if credit:
            own.append(payment_row(row, credit, CREDIT, row["number"], now))
            left -= credit
        if left < 0:
            own += await _put_back(connection, invoice, row, now)
            left -= sum((payment["amount"] for payment in own), Decimal(0))
        drawn = min(left, balances.get(row["tenant_id"], Decimal(0))) if left > 0 else left
        if drawn:
            own.append(payment_row(row, drawn, BALANCE, row["number"], now))
    return payments_by_invoice


async def _put_back(
    connection: AsyncConnection, invoice: ToIssue, row: dict[str, Any], now: datetime
) -> list[dict[str, Any]]:
    """Return the payments by which an invoice below zero returns what earlier ones had asked for.

    Each has the earlier invoice's number as its reference, and is the cause of what goes back.
    """
    tenant, own = invoice.of.tenant, []
    for part in await coming_back(connection, tenant, row, invoice.of.lines):
        if part.money:
            own.append(payment_row(row, -part.money, BALANCE, part.number, now))
        if part.given:
            back = payment_row(row, -part.given, CREDIT, part.number, now)
            own.append(back)
            await give_back(connection, tenant, part.credit, part.given, back["id"], now)
    return own


async def _again_from_credit(
    connection: AsyncConnection, invoice: ToIssue, total: Decimal, now: datetime
) -> Decimal:
    """Let what went back to credit, with what this invoice takes the place of, pay it again."""
    earlier = invoice.replaces or invoice.reverses
    if earlier is None or total <= 0:
        return Decimal(0)
    return await pay_again(connection, invoice.of.tenant, invoice.of.id, earlier, total, now)


async def balances_of(connection: AsyncConnection, tenant_ids: Sequence[str]) -> dict[str, Decimal]:
    """Return the balances of those customers that ever had one. Never below zero."""
    query = (
        select(payments.c.tenant_id, (-func.sum(payments.c.amount)).label("balance"))
        .where(payments.c.tenant_id.in_(tenant_ids), payments.c.method == BALANCE)
        .group_by(payments.c.tenant_id)
    )
    return {row.tenant_id: row.balance for row in await connection.execute(query)}


def payment_row(
    invoice: Any, amount: Decimal, method: str, reference: str, received_at: datetime
) -> dict[str, Any]:
    """Return the row of a payment on an invoice, which is given as its row."""
    return {
        "tenant_id": invoice["tenant_id"],
        "id": new_id("pay"),
        "invoice_id": invoice["id"],
        "amount": amount,
        "currency": invoice["currency"],
        "method": method,
        "reference": reference,
        "received_at": received_at,
    }


def _row(wanted: ToIssue, number: str, settings: Settings, now: datetime) -> dict[str, Any]:
    untaxed, tax = wanted.of, wanted.tax
    subtotal = untaxed.subtotal
    with exact_arithmetic():
        total = subtotal + on_top(tax.taxes)
    net_days = untaxed.profile.net_days(settings) if wanted.net_days is None else wanted.net_days
    return {
        "tenant_id": untaxed.tenant.id,
        "id": untaxed.id,
        "number": number,
        "kind": untaxed.kind.value,
        "state": InvoiceState.DRAFT.value,
        "currency": untaxed.tenant.currency,
        "period_start": untaxed.period.start,
        "period_end": untaxed.period.end,
        "time_zone": untaxed.period.time_zone,
        "issued_at": now,
        "due_at": due_date(now, net_days),
        "subtotal": subtotal,
        "tax": on_top(tax.taxes),
        "total": total,
        "taxes": [each.model_dump(mode="json") for each in tax.taxes],
        "tax_date": untaxed.tax_date,
        "tax_notes": tax.notes,
        "seller": seller(settings).model_dump(mode="json"),
        "customer": untaxed.profile.customer(untaxed.tenant).model_dump(mode="json"),
        "payment_note": settings.invoice_payment_note,
        "replaces": wanted.replaces,
        "reverses": wanted.reverses,
    }


def _line(untaxed: Untaxed, number: int, line: ComposedLine) -> dict[str, Any]:
    return {
        "tenant_id": untaxed.tenant.id,
        "invoice_id": untaxed.id,
        "line": number,
        "kind": line.of.kind,
        "late": line.late,
        "plan": line.of.plan,
        "plan_version": line.of.plan_version,
        "item": line.of.item,
        "name": line.name,
        "period_start": line.period.start,
        "period_end": line.period.end,
        "quantity": line.quantity,
        "before": line.before,
        "exact": line.exact,
        "amount": line.amount,
        "charge": None if line.charge is None else line.charge.model_dump(mode="json"),
    }
