"""The documents of some tenants that bear on some months, as they are booked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping, Text, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounting.rules.documents import (
    Account,
    BookedInvoice,
    BookedLine,
    BookedNote,
    BookedPayment,
    BookedTax,
)
from backend.accounting.rules.revenue import month_after
from backend.invoices.issuing.issuing import CREDIT
from backend.invoices.rules.lines import INVOICED_BEFORE
from backend.pricing.money import ZERO, round_to_minor_unit
from backend.pricing.periods import INSTANT
from backend.storage.tables import credit_notes, invoice_lines, invoices, payments
from backend_client.types.invoices import InvoiceKind

_BEARING = text(
    """
    SELECT id FROM invoices
    WHERE tenant_id = ANY(:tenants) AND state <> 'draft'
    AND (issued_at < :until OR period_start < :until)
    AND (
        greatest(issued_at, voided_at, written_off_at, period_end) >= :since
        OR EXISTS (
            SELECT FROM payments WHERE payments.tenant_id = invoices.tenant_id
            AND payments.invoice_id = invoices.id AND payments.received_at >= :since
        )
        OR EXISTS (
            SELECT FROM credit_notes WHERE credit_notes.tenant_id = invoices.tenant_id
            AND credit_notes.invoice_id = invoices.id AND credit_notes.issued_at >= :since
        )
        OR EXISTS (
            SELECT FROM invoice_lines WHERE invoice_lines.tenant_id = invoices.tenant_id
            AND invoice_lines.invoice_id = invoices.id
            AND (invoice_lines.charge ->> 'end')::timestamptz >= :since
        )
    )
    """
).bindparams(bindparam("tenants", type_=ARRAY(Text)))
"""Invoices with something in the months, or with service in them or after."""

_FROM_CREDIT = text(
    """
    SELECT entry.cause,
        CASE WHEN of_grant.kind = 'paid' THEN entry.amount ELSE 0 END AS bought, entry.amount
    FROM ledger_entries AS entry
    JOIN credit_grants AS of_grant
        ON of_grant.tenant_id = entry.tenant_id AND of_grant.id = entry.grant_id
    WHERE entry.tenant_id = ANY(:tenants) AND entry.cause = ANY(:causes)
        AND entry.target = 'used'
    ORDER BY entry.tenant_id, entry.number
    """
).bindparams(bindparam("tenants", type_=ARRAY(Text)), bindparam("causes", type_=ARRAY(Text)))
"""What credit paid of bills: with an invoice as its cause, or the payment of what was overdue."""

_CATCHING_UP = (InvoiceKind.ONE_OFF.value, InvoiceKind.REVERSAL.value)

_MARGIN = timedelta(days=2)
"""Clocks differ by up to a day; what is read too much falls into no month."""


@dataclass(frozen=True, slots=True)
class BookMonths:
    """Months of the books, ``first`` and ``last`` by their first days, on the books' clocks."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def since(self) -> datetime:
        """A moment before all of them, wherever."""
        return datetime.combine(self.first, time(), UTC) - _MARGIN

    @property
    def until(self) -> datetime:
        """A moment after all of them, wherever."""
        return datetime.combine(month_after(self.last), time(), UTC) + _MARGIN

    def day(self, moment: datetime) -> date:
        """Return the day of a moment."""
        return moment.astimezone(self.zone).date()

    def holds(self, day: date) -> bool:
        """Return whether a day is in one of the months."""
        return self.first <= day < month_after(self.last)


async def read_accounts(
    connection: AsyncConnection, tenant_ids: Sequence[str], months: BookMonths
) -> tuple[list[Account], dict[str, dict[str, Account]]]:
    """Return the invoices that bear on the months, and progressive ones by tenant and number."""
    bearing = await connection.execute(
        _BEARING,
        {"tenants": list(tenant_ids), "since": months.since, "until": months.until},
    )
    ids = {row.id for row in bearing}
    accounts = await _accounts(connection, tenant_ids, ids, months)
    held = {account.invoice.number for account in accounts}
    missing = {
        line.item
        for account in accounts
        for line in account.invoice.lines
        if line.kind == INVOICED_BEFORE and line.item not in held
    }
    others: list[Account] = []
    if missing:
        query = select(invoices.c.id).where(
            invoices.c.tenant_id.in_(tenant_ids),
            invoices.c.number.in_(missing),
            invoices.c.kind == InvoiceKind.PROGRESSIVE.value,
        )
        others = await _accounts(
            connection, tenant_ids, set(await connection.scalars(query)), months
        )
    earlier: defaultdict[str, dict[str, Account]] = defaultdict(dict)
    for account in [*accounts, *others]:
        earlier[account.invoice.tenant][account.invoice.number] = account
    return accounts, earlier


async def _accounts(
    connection: AsyncConnection, tenant_ids: Sequence[str], ids: set[str], months: BookMonths
) -> list[Account]:
    if not ids:
        return []
    rows = (
        await connection.execute(
            select(invoices)
            .where(invoices.c.tenant_id.in_(tenant_ids), invoices.c.id.in_(ids))
            .order_by(invoices.c.tenant_id, invoices.c.issued_at, invoices.c.id)
        )
    ).mappings()
    lines = await _by_invoice(connection, invoice_lines, tenant_ids, ids, invoice_lines.c.line)
    notes = await _by_invoice(connection, credit_notes, tenant_ids, ids, credit_notes.c.id)
    paid = await _by_invoice(connection, payments, tenant_ids, ids, payments.c.id)
    by_credit = [row["id"] for part in paid.values() for row in part if row["method"] == CREDIT]
    used: defaultdict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    if by_credit:
        causes = {"tenants": list(tenant_ids), "causes": sorted(ids) + by_credit}
        for entry in await connection.execute(_FROM_CREDIT, causes):
            used[entry.cause].append((entry.amount, entry.bought))
    return [
        Account(
            _invoice(row, lines[row["id"]], months),
            [_note(note, months) for note in notes[row["id"]]],
            [
                _payment(payment, given, months)
                for payment, given in _with_given(used, row, paid[row["id"]])
            ],
        )
        for row in rows
    ]


async def _by_invoice(
    connection: AsyncConnection, table: Any, tenant_ids: Sequence[str], ids: set[str], order: Any
) -> defaultdict[str, list[RowMapping]]:
    query = (
        select(table)
        .where(table.c.tenant_id.in_(tenant_ids), table.c.invoice_id.in_(ids))
        .order_by(order)
    )
    by_invoice: defaultdict[str, list[RowMapping]] = defaultdict(list)
    for row in (await connection.execute(query)).mappings():
        by_invoice[row["invoice_id"]].append(row)
    return by_invoice


def _invoice(row: RowMapping, lines: Sequence[RowMapping], months: BookMonths) -> BookedInvoice:
    voided, written_off = row["voided_at"], row["written_off_at"]
    zone = ZoneInfo(row["time_zone"])
    return BookedInvoice(
        tenant=row["tenant_id"],
        id=row["id"],
        number=row["number"],
        currency=row["currency"],
        issued_on=months.day(row["issued_at"]),
        lines=[_line(line, zone) for line in lines],
        taxes=_taxes(row["taxes"]),
        total=row["total"],
        # These come after the time that they are about, and change no month before their own
        sells_credit=row["kind"] == InvoiceKind.TOP_UP,
        # What is issued in its place asks for the revenue that its void took back
        pays_ahead=row["kind"] == InvoiceKind.INSTALMENT and row["replaces"] is None,
        catches_up=row["replaces"] is not None or row["kind"] in _CATCHING_UP,
        voided_on=None if voided is None else months.day(voided),
        written_off_at=written_off,
        written_off_on=None if written_off is None else months.day(written_off),
    )


def _line(row: RowMapping, zone: ZoneInfo) -> BookedLine:
    start, end = row["period_start"], row["period_end"]
    charge = row["charge"]
    if charge is not None and charge.get("cadence") == "year":
        # The time that the fee is for, which is longer than the period that asks for it
        start = datetime.fromisoformat(charge["start"])
        end = datetime.fromisoformat(charge["end"])
    first = start.astimezone(zone).date()
    last = (end - INSTANT).astimezone(zone).date()
    return BookedLine(
        kind=row["kind"],
        plan=row["plan"],
        item=row["item"],
        amount=row["amount"],
        start=first,
        end=max(last, first) + timedelta(days=1),
        late=row["late"],
    )


def _taxes(taxes: Iterable[Mapping[str, Any]]) -> list[BookedTax]:
    return [
        BookedTax(tax["name"], Decimal(tax["amount"]["amount"]), tax["inclusive"]) for tax in taxes
    ]


def _note(row: RowMapping, months: BookMonths) -> BookedNote:
    return BookedNote(
        id=row["id"],
        number=row["number"],
        issued_at=row["issued_at"],
        issued_on=months.day(row["issued_at"]),
        lines={line["line"]: Decimal(line["amount"]) for line in row["lines"]},
        taxes=_taxes(row["taxes"]),
        total=row["total"],
    )


def _with_given(
    used: Mapping[str, Sequence[tuple[Decimal, Decimal]]], row: RowMapping, paid: list[RowMapping]
) -> list[tuple[RowMapping, Decimal]]:
    """Return the payments of an invoice, each with the part that was credit given away.

    In minor units: what was bought is rounded as a running sum, as it is in the wallet's months.
    What goes back to credit was given; what paid a bill that was overdue was bought.
    """
    entries = list(used.get(row["id"], ()))
    given: dict[str, Decimal] = {}
    bought = booked = ZERO
    for payment in sorted(paid, key=lambda part: (part["received_at"], part["id"])):
        if payment["method"] != CREDIT or payment["id"] in used:
            continue
        if payment["amount"] < 0:
            given[payment["id"]] = payment["amount"]
            continue
        left = payment["amount"]
        while left and entries:  # an act pays whole entries, in their order
            amount, of_bought = entries.pop(0)
            left -= amount
            bought += of_bought
        rounded = round_to_minor_unit(bought, row["currency"])
        given[payment["id"]] = payment["amount"] - (rounded - booked)
        booked = rounded
    return [(payment, given.get(payment["id"], ZERO)) for payment in paid]


def _payment(row: RowMapping, promotional: Decimal, months: BookMonths) -> BookedPayment:
    return BookedPayment(
        id=row["id"],
        method=row["method"],
        reference=row["reference"],
        amount=row["amount"],
        received_at=row["received_at"],
        received_on=months.day(row["received_at"]),
        promotional=promotional,
    )
