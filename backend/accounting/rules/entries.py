"""Documents as balanced entries. Pure.

An invoice debits the receivable and credits tax and revenue that is deferred or was unbilled; each
month moves what it earns to revenue. After a write-off, bad debt takes the receivable's place.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple

from backend.accounting.rules.credit import rounded_months
from backend.accounting.rules.documents import (
    Account,
    BookedInvoice,
    BookedPayment,
    BookedTax,
    BookedWallet,
    CreditMovement,
)
from backend.accounting.rules.journals import Journal, JournalLine
from backend.accounting.rules.revenue import Revenue, revenue_of
from backend.pricing.money import ZERO, exact_arithmetic, round_to_minor_unit
from backend_client.types.accounting import ChartOfAccounts, EntryKind

BALANCE: Final = "balance"
CREDIT: Final = "credit"

_Amounts = Sequence[tuple[str, Decimal]]


class _Document(NamedTuple):
    """What an entry books: whose, which, and in which currency."""

    tenant: str
    id: str
    currency: str


def account_entries(
    account: Account, earlier: Mapping[str, Account], chart: ChartOfAccounts
) -> list[Journal]:
    """Return all entries of an invoice and of what happened to it, but those without an amount.

    ``earlier`` has the progressive invoices by number that its lines take off again.
    """
    with exact_arithmetic():
        revenues = revenue_of(account, earlier)
        entries = [
            _invoice(account.invoice, revenues[0], chart),
            *_notes(account, revenues[1:], chart),
            *(_payment(account.invoice, payment, chart) for payment in account.payments),
            _void(account.invoice, chart),
            _write_off(account, chart),
            *(entry for revenue in revenues for entry in _recognition(revenue, chart)),
        ]
        return [entry for entry in entries if entry is not None and entry.lines]


def wallet_entries(wallet: BookedWallet, chart: ChartOfAccounts) -> list[Journal]:
    """Return the entries of bought credit: sold, paid back, used by calls, expired."""
    with exact_arithmetic():
        entries = [
            _movement(wallet, movement, chart)
            for movement in wallet.movements
            if not movement.invoiced
        ]
        for month in rounded_months(wallet):
            entries += [
                _credit_month(wallet, month.month, EntryKind.CREDIT_BURN, month.burnt, chart),
                _credit_month(wallet, month.month, EntryKind.CREDIT_BREAKAGE, month.expired, chart),
            ]
        return [entry for entry in entries if entry.lines]


def _movement(wallet: BookedWallet, movement: CreditMovement, chart: ChartOfAccounts) -> Journal:
    amount = round_to_minor_unit(movement.amount, wallet.currency)
    refund = movement.refund
    return _entry(
        _Document(wallet.tenant, movement.id, wallet.currency),
        f"{movement.id}-refund" if refund else movement.id,
        movement.on,
        EntryKind.CREDIT_REFUND if refund else EntryKind.CREDIT_PURCHASE,
        chart.cash,
        [(chart.prepaid_credit, amount if refund else -amount)],
        f"Credit {'refunded' if refund else 'sold'}: {movement.name}",
    )


def _credit_month(
    wallet: BookedWallet, month: date, kind: EntryKind, amount: Decimal, chart: ChartOfAccounts
) -> Journal:
    burnt = kind is EntryKind.CREDIT_BURN
    word = "used" if burnt else "expired"
    return _entry(
        _Document(wallet.tenant, wallet.tenant, wallet.currency),
        f"{wallet.slug}-{word}-{month:%Y-%m}",
        last_of(month),
        kind,
        chart.prepaid_credit,
        [(chart.revenue if burnt else chart.breakage, -amount)],
        f"Credit {word} in {month:%Y-%m}, {wallet.slug}",
    )


def account_fields(chart: ChartOfAccounts) -> dict[str, str]:
    """Return the field of each account, which errors name."""
    fields: dict[str, str] = {}
    for name, value in chart:
        if isinstance(value, dict):
            fields |= {account: f"accounts.{name}.{key}" for key, account in value.items()}
        else:
            fields[value] = f"accounts.{name}"
    return fields


def last_of(month: date) -> date:
    """Return the last day of a month, on which its revenue is booked."""
    return month.replace(day=monthrange(month.year, month.month)[1])


def _invoice(invoice: BookedInvoice, revenue: Revenue, chart: ChartOfAccounts) -> Journal:
    billed_late = revenue.recognized_before(revenue.booked)
    parts = [
        *_taxes(invoice.taxes, -1, chart),
        (chart.unbilled_revenue, -billed_late),
        (chart.deferred_revenue, billed_late - revenue.amount),
        *_within_credit(invoice, invoice.taxes, 1, chart),
    ]
    if invoice.pays_ahead:
        net = invoice.total - sum((tax.amount for tax in invoice.taxes), ZERO)
        parts.append((chart.prepaid_credit, -net))
    return _entry(
        _of(invoice, invoice.id),
        invoice.number,
        invoice.issued_on,
        EntryKind.INVOICE,
        chart.cash if invoice.sells_credit else chart.receivable,
        parts,
        f"Invoice {invoice.number}",
    )


def _notes(
    account: Account, revenues: Sequence[Revenue], chart: ChartOfAccounts
) -> Iterator[Journal]:
    for note, revenue in zip(account.notes, revenues, strict=False):
        parts = [
            *_taxes(note.taxes, 1, chart),
            (chart.deferred_revenue, -revenue.amount),
            *_within_credit(account.invoice, note.taxes, -1, chart),
        ]
        yield _entry(
            _of(account.invoice, note.id),
            note.number,
            note.issued_on,
            EntryKind.CREDIT_NOTE,
            _receivable(account.invoice, note.issued_at, chart),
            parts,
            f"Credit note {note.number} for {account.invoice.number}",
        )


def _payment(invoice: BookedInvoice, payment: BookedPayment, chart: ChartOfAccounts) -> Journal:
    if payment.method == BALANCE:
        parts = [(chart.customer_balance, payment.amount)]
    elif payment.method == CREDIT:
        bought = payment.amount - payment.promotional
        parts = [
            (chart.prepaid_credit, bought),
            (chart.promotional_credit, payment.promotional),
        ]
    else:
        cash = chart.cash_by_method.get(payment.method, chart.cash)
        parts = [(cash, payment.amount)]
    return _entry(
        _of(invoice, payment.id),
        payment.id,
        payment.received_on,
        EntryKind.PAYMENT,
        _receivable(invoice, payment.received_at, chart),
        parts,
        f"{payment.method} {payment.reference}, {invoice.number}",
    )


def _void(invoice: BookedInvoice, chart: ChartOfAccounts) -> Journal | None:
    if invoice.voided_on is None:
        return None
    net = invoice.total - sum((tax.amount for tax in invoice.taxes), ZERO)
    written_off = invoice.written_off_at is not None
    return _entry(
        _of(invoice, invoice.id),
        f"{invoice.number}-void",
        invoice.voided_on,
        EntryKind.VOID,
        chart.bad_debt if written_off else chart.receivable,
        [*_taxes(invoice.taxes, 1, chart), (chart.deferred_revenue, net)],
        f"Invoice {invoice.number} void",
    )


def _write_off(account: Account, chart: ChartOfAccounts) -> Journal | None:
    invoice = account.invoice
    at, on = invoice.written_off_at, invoice.written_off_on
    if at is None or on is None:
        return None
    settled = [payment.amount for payment in account.payments if payment.received_at <= at]
    settled += [note.total for note in account.notes if note.issued_at <= at]
    left = invoice.total - sum(settled, ZERO)
    return _entry(
        _of(invoice, invoice.id),
        f"{invoice.number}-write-off",
        on,
        EntryKind.WRITE_OFF,
        chart.receivable,
        [(chart.bad_debt, left)],
        f"Invoice {invoice.number} written off",
    )


def _recognition(revenue: Revenue, chart: ChartOfAccounts) -> Iterator[Journal]:
    by_month: defaultdict[date, list[tuple[str, Decimal]]] = defaultdict(list)
    for (month, plan), share in sorted(revenue.shares.items()):
        account = chart.revenue_by_plan.get(plan, chart.revenue)
        by_month[month].append((account, -share))
    for month, parts in by_month.items():
        early = month < revenue.booked
        yield _entry(
            _Document(revenue.tenant, revenue.document, revenue.currency),
            f"{revenue.reference}/{month:%Y-%m}",
            last_of(month),
            EntryKind.RECOGNITION,
            chart.unbilled_revenue if early else chart.deferred_revenue,
            parts,
            f"Revenue of {month:%Y-%m}, {revenue.reference}",
        )


def _within_credit(
    invoice: BookedInvoice, taxes: Sequence[BookedTax], sign: int, chart: ChartOfAccounts
) -> _Amounts:
    """Return the tax within credit that was sold: all of it is revenue once calls have used it."""
    if not invoice.sells_credit:
        return []
    return [(chart.revenue, sign * tax.amount) for tax in taxes if tax.inclusive]


def _receivable(invoice: BookedInvoice, at: datetime, chart: ChartOfAccounts) -> str:
    if invoice.sells_credit:
        return chart.cash
    after = invoice.written_off_at is not None and at > invoice.written_off_at
    return chart.bad_debt if after else chart.receivable


def _taxes(taxes: Sequence[BookedTax], sign: int, chart: ChartOfAccounts) -> _Amounts:
    return [(chart.tax_by_name.get(tax.name, chart.tax), sign * tax.amount) for tax in taxes]


def _of(invoice: BookedInvoice, document: str) -> _Document:
    return _Document(invoice.tenant, document, invoice.currency)


def _entry(
    document: _Document,
    reference: str,
    booked_on: date,
    kind: EntryKind,
    main: str,
    parts: _Amounts,
    text: str,
) -> Journal:
    """Return an entry of the parts against ``main``, a line an account."""
    amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for account, amount in parts:
        amounts[account] += amount
        amounts[main] -= amount
    in_order = sorted(amounts.items(), key=lambda held: (held[0] != main, held[0]))
    zero = round_to_minor_unit(ZERO, document.currency)
    lines = [
        JournalLine(account, None, amount + zero, text) for account, amount in in_order if amount
    ]
    return Journal(
        reference,
        booked_on,
        document.currency,
        main,
        tuple(lines),
        kind.value,
        document.tenant,
        document.id,
    )
