"""Money that goes back: payments that banks return, refunds, and balances that are paid out."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.principal import Principal
from backend.invoices.drafts.billing_cursors import unbilled
from backend.invoices.drafts.items import add_item
from backend.invoices.errors import (
    AmountOverAvailable,
    BalancePaidOut,
    PaymentMethodReserved,
    PaymentNotFound,
    PaymentReferenceReused,
    PaymentReturned,
)
from backend.invoices.issuing.given_part import given_part
from backend.invoices.issuing.issuing import BALANCE, OWN_METHODS, balances_of, payment_row
from backend.invoices.payments.receiving import receive_refund
from backend.invoices.rules.notices import returned_notice
from backend.invoices.settling import check_past, lock_invoice, reopen
from backend.outbox.queue import enqueue_notices
from backend.pricing.errors import TooManyDecimals
from backend.pricing.money import ZERO, exact_arithmetic, minor_digits, round_to_minor_unit
from backend.settings import Settings
from backend.storage.tables import invoices, payments
from backend_client.types.accounts import Tenant
from backend_client.types.common import plain
from backend_client.types.invoice_items import InvoiceItemCreate
from backend_client.types.invoices import BalanceRefund, PaymentRefund, PaymentReturn
from backend_client.types.platforms import PlatformName


async def return_payment(
    connection: AsyncConnection,
    tenant: Tenant,
    invoice_id: str,
    payment_id: str,
    wanted: PaymentReturn,
    now: datetime,
    *,
    by: Principal | None = None,
) -> None:
    """Record that a payment was taken back whole; doing it again does nothing.

    The invoice asks for it again, due when it was, so that dunning goes on. What the payment had
    put on the balance is taken from it, and from what it has paid since: invoices that it paid
    last are open again first. ``by`` is whose act it is: the audit has it, once.

    Raises ``NotFound``; ``Conflict`` if it was returned as something else, the reference is used,
    or what it put on the balance was paid out.
    """
    await unbilled(connection, tenant.id, lock=True)  # nobody else draws on the balance meanwhile
    row = await lock_invoice(connection, tenant.id, invoice_id)
    payment = await _payment(connection, row, payment_id)
    returned = await _returned_as(connection, tenant.id, payment_id)
    if returned is not None:
        if returned != wanted.reference:
            raise PaymentReturned(f"It was taken back as {returned!r}.")
        return
    check_past("returned_at", wanted.returned_at, now)
    _check_fee(wanted.fee, tenant.currency)
    method, amount = payment["method"], payment["amount"]
    if await _recorded(connection, row, method, wanted.reference) is not None:
        raise PaymentReferenceReused(f"A payment by {method} has the reference.")
    put = await _put_on_balance(connection, row, payment)
    back = payment_row(row, -amount, method, wanted.reference, wanted.returned_at or now)
    await _take_money_back(connection, tenant, row, back | {"returns": payment_id}, put, wanted.fee)
    if wanted.fee is not None:
        fee = InvoiceItemCreate(
            name=f"Fee for a returned payment: {wanted.reference}"[:200], amount=wanted.fee
        )
        await add_item(connection, tenant, fee, now)
    if by is not None:
        detail: dict[str, object] = {"payment": payment_id, "reference": wanted.reference}
        await record(
            connection, by, "invoice.payment.return", invoice_id, tenant_id=tenant.id, detail=detail
        )


async def take_back_by_platform(
    connection: AsyncConnection,
    tenant: Tenant,
    invoice_id: str,
    amount: Decimal,
    method: str,
    reference: str,
    now: datetime,
) -> bool:
    """Record that a platform took money back that it had collected; return whether it is new.

    The invoice asks for it again. No more than the platform's payments came to is taken back.
    Raises ``NotFound``, also where nothing of them is left; ``Conflict`` if what they put on the
    balance was paid out.
    """
    await unbilled(connection, tenant.id, lock=True)
    row = await lock_invoice(connection, tenant.id, invoice_id)
    if await _recorded(connection, row, method, reference) is not None:
        return False
    amount = min(amount, await _left_of(connection, row, method))
    if amount <= 0:
        raise PaymentNotFound()
    back = payment_row(row, -amount, method, reference, now)
    await _take_money_back(connection, tenant, row, back, ZERO, None)
    return True


async def _take_money_back(
    connection: AsyncConnection,
    tenant: Tenant,
    row: RowMapping,
    back: dict[str, Any],
    put: Decimal,
    fee: Decimal | None,
) -> None:
    """Book money that went back; the invoice asks for it but for what was ``put`` on the balance.

    ``back`` is the payment's row, below zero.
    """
    amount, now = -back["amount"], back["received_at"]
    balance = (await balances_of(connection, [tenant.id])).get(tenant.id, ZERO)
    # The invoice does not ask again for what credit paid of it that was given away
    money = row["paid"] - (await given_part(connection, tenant, row)).left
    asked_again = min(amount - min(put, balance), money)
    await connection.execute(insert(payments).values(**back))
    if asked_again:
        await reopen(connection, row, row["paid"] - asked_again)
    if rest := amount - asked_again:
        name = f"{back['method']} {back['reference']}"
        if rest > balance:
            await _take_back(connection, row, rest - balance, f"{row['number']} {name}", now)
        drawn = payment_row(row, rest, BALANCE, name, now)
        await connection.execute(insert(payments).values(**drawn))
    notice = returned_notice(row, back, row["paid"] - asked_again, fee)
    await enqueue_notices(connection, [notice])


async def refund_payment(
    connection: AsyncConnection,
    settings: Settings,
    tenant: Tenant,
    invoice_id: str,
    payment_id: str,
    wanted: PaymentRefund,
    now: datetime,
    *,
    by: Principal | None = None,
) -> None:
    """Record money that was paid back of a payment; doing it again does nothing.

    It is taken from the balance. Where that holds less, the invoice is credited by the amount
    first. ``by`` is whose act it is: the audit has it, once. Raises ``NotFound``; ``InvalidInput``
    for more than is left of it; ``Conflict`` if it was returned or the reference is used, and what
    ``credit`` raises.
    """
    await unbilled(connection, tenant.id, lock=True)
    row = await lock_invoice(connection, tenant.id, invoice_id)
    payment = await _payment(connection, row, payment_id)
    method = payment["method"]
    recorded = await _recorded(connection, row, method, wanted.reference)
    if recorded is not None:
        if recorded >= 0 or wanted.amount not in (None, -recorded):
            raise PaymentReferenceReused(f"A payment of {plain(recorded)} has the reference.")
        return
    returned = await _returned_as(connection, tenant.id, payment_id)
    if returned is not None:
        raise PaymentReturned(f"It was taken back as {returned!r}: there is nothing to refund.")
    left = min(payment["amount"], await _left_of(connection, row, method))
    amount = left if wanted.amount is None else wanted.amount
    _check(amount, left, row["currency"], "is left of the payment")
    await receive_refund(
        connection, settings, tenant, invoice_id, amount, method, wanted.reference, now
    )
    if by is not None:
        detail = {
            "payment": payment_id,
            "amount": plain(amount),
            "reference": wanted.reference,
        }
        await record(
            connection, by, "invoice.refund", invoice_id, tenant_id=tenant.id, detail=detail
        )


async def refund_balance(
    connection: AsyncConnection,
    tenant: Tenant,
    wanted: BalanceRefund,
    now: datetime,
    *,
    by: Principal | None = None,
) -> None:
    """Record that a customer's balance, or a part of it, was paid out; again does nothing.

    It is booked on the invoices that put it there, the last first. ``by`` is whose act it is: the
    audit has it, once. Raises ``InvalidInput`` for more than there is; ``Conflict`` if the
    reference is used.
    """
    _check_method(wanted.method)
    await unbilled(connection, tenant.id, lock=True)
    recorded = await connection.scalar(
        select(func.sum(payments.c.amount)).where(
            payments.c.tenant_id == tenant.id,
            payments.c.method == wanted.method,
            payments.c.reference == wanted.reference,
        )
    )
    if recorded is not None:
        if recorded >= 0 or wanted.amount not in (None, -recorded):
            raise PaymentReferenceReused(f"{plain(recorded)} are recorded with this reference.")
        return
    balance = (await balances_of(connection, [tenant.id])).get(tenant.id, ZERO)
    amount = balance if wanted.amount is None else wanted.amount
    _check(amount, balance, tenant.currency, "are on the balance")
    rows: list[dict[str, Any]] = []
    left = amount
    with exact_arithmetic():
        for invoice_id, put in await _on_balance(connection, tenant.id, drawn=False):
            part = min(left, -put)
            row = {"tenant_id": tenant.id, "id": invoice_id, "currency": tenant.currency}
            reference = f"{wanted.method} {wanted.reference}"
            rows += [
                payment_row(row, -part, wanted.method, wanted.reference, now),
                payment_row(row, part, BALANCE, reference, now),
            ]
            left -= part
            if not left:
                break
    await connection.execute(insert(payments), rows)
    if by is not None:
        detail = wanted.model_dump(mode="json") | {"amount": plain(amount)}
        await record(
            connection, by, "balance.refund", tenant.id, tenant_id=tenant.id, detail=detail
        )


async def _take_back(
    connection: AsyncConnection, returned: RowMapping, lack: Decimal, name: str, now: datetime
) -> None:
    """Put what the balance paid of other invoices on it again; these ask for it once more."""
    for invoice_id, drawn in await _on_balance(connection, returned["tenant_id"], drawn=True):
        if invoice_id == returned["id"]:
            continue
        row = await lock_invoice(connection, returned["tenant_id"], invoice_id)
        part = min(lack, drawn, row["paid"])
        if part <= 0:
            continue
        await connection.execute(
            insert(payments).values(**payment_row(row, -part, BALANCE, name, now))
        )
        await reopen(connection, row, row["paid"] - part)
        lack -= part
        if not lack:
            return
    raise BalancePaidOut()


async def _put_on_balance(
    connection: AsyncConnection, row: RowMapping, payment: RowMapping
) -> Decimal:
    """Return what a payment put on the balance, since the invoice asked for less."""
    reference = f"{payment['method']} {payment['reference']}"
    put = await _recorded(connection, row, BALANCE, reference)
    return ZERO if put is None else -put


async def _on_balance(
    connection: AsyncConnection, tenant_id: str, *, drawn: bool
) -> list[tuple[str, Decimal]]:
    """Return the invoices that the balance paid (or that put something there), last first.

    Each has what was ``drawn`` for it, below zero if something was put there.
    """
    amount = func.sum(payments.c.amount)
    query = (
        select(payments.c.invoice_id, amount)
        .join(
            invoices,
            (invoices.c.tenant_id == payments.c.tenant_id)
            & (invoices.c.id == payments.c.invoice_id),
        )
        .where(payments.c.tenant_id == tenant_id, payments.c.method == BALANCE)
        .group_by(payments.c.invoice_id, invoices.c.issued_at)
        .having(amount > 0 if drawn else amount < 0)
        .order_by(invoices.c.issued_at.desc(), payments.c.invoice_id.desc())
    )
    return [(invoice_id, sum_of) for invoice_id, sum_of in await connection.execute(query)]


async def _payment(connection: AsyncConnection, row: RowMapping, payment_id: str) -> RowMapping:
    query = select(payments).where(
        payments.c.tenant_id == row["tenant_id"],
        payments.c.invoice_id == row["id"],
        payments.c.id == payment_id,
        payments.c.amount > 0,
        payments.c.method.not_in(OWN_METHODS),
    )
    payment = (await connection.execute(query)).mappings().first()
    if payment is None:
        raise PaymentNotFound()
    _check_method(payment["method"])
    return payment


async def _returned_as(connection: AsyncConnection, tenant_id: str, payment_id: str) -> str | None:
    """Return the reference by which a payment was taken back; None if it was not."""
    query = select(payments.c.reference).where(
        payments.c.tenant_id == tenant_id, payments.c.returns == payment_id
    )
    reference: str | None = await connection.scalar(query)
    return reference


async def _recorded(
    connection: AsyncConnection, row: RowMapping, method: str, reference: str
) -> Decimal | None:
    query = select(payments.c.amount).where(
        payments.c.tenant_id == row["tenant_id"],
        payments.c.invoice_id == row["id"],
        payments.c.method == method,
        payments.c.reference == reference,
    )
    amount: Decimal | None = await connection.scalar(query)
    return amount


async def _left_of(connection: AsyncConnection, row: RowMapping, method: str) -> Decimal:
    """Return what came by a method for an invoice, less what went back."""
    query = select(func.sum(payments.c.amount)).where(
        payments.c.tenant_id == row["tenant_id"],
        payments.c.invoice_id == row["id"],
        payments.c.method == method,
    )
    return Decimal(await connection.scalar(query) or 0)


def _check_fee(fee: Decimal | None, currency: str) -> None:
    if fee is not None and round_to_minor_unit(fee, currency) != fee:
        raise TooManyDecimals.of_field("fee", f"{currency} has {minor_digits(currency)} decimals")


def _check_method(method: str) -> None:
    if method in OWN_METHODS:
        raise PaymentMethodReserved.of_field(
            "method", "is how Farebox itself pays: no money came or goes"
        )
    if method in list(PlatformName):
        raise PaymentMethodReserved.of_field(
            "method", "is how payments that the platform reports are kept: do it there"
        )


def _check(amount: Decimal, most: Decimal, currency: str, where: str) -> None:
    if round_to_minor_unit(amount, currency) != amount:
        raise TooManyDecimals.of_field(
            "amount", f"{currency} has {minor_digits(currency)} decimals"
        )
    if not 0 < amount <= most:
        raise AmountOverAvailable.of_field(
            "amount", f"is not within the {plain(most)} {currency} that {where}"
        )
