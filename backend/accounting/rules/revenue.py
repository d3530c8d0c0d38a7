"""When what was invoiced is earned: over the service's days, by month (ASC 606, IFRS 15). Pure.

A document's revenue is booked in the month of the document and recognized in the months of its
service. What is recognized before it is booked is unbilled revenue, what is booked before it is
recognized is deferred. Late usage, credit notes, voids and invoices that take the place of void
ones change no month before their own: they catch up in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from backend.accounting.rules.documents import (
    Account,
    BookedInvoice,
    BookedLine,
    BookedNote,
    BookedTax,
)
from backend.invoices.rules.lines import CHARGE, INVOICED_BEFORE, REDEEMED_BEFORE
from backend.pricing.money import ZERO, exact_arithmetic, round_fraction
from backend.pricing.tax.lines import net_of_parts
from backend_client.types.invoices import AFTER_TAX

_DISCOUNT = "discount"


class Slot(NamedTuple):
    """A month, by its first day, and the plan whose revenue it is."""

    month: date
    plan: str


Shares = Mapping[Slot, Decimal]


@dataclass(frozen=True, slots=True)
class Revenue:
    """What a document adds to revenue or takes off it: ``shares`` by month and plan.

    ``reference`` is the document's number, or that with "void".
    """

    tenant: str
    document: str
    reference: str
    currency: str
    booked: date
    shares: Shares

    @property
    def amount(self) -> Decimal:
        """The net amount of the document."""
        return sum(self.shares.values(), ZERO)

    def recognized(self, month: date) -> Decimal:
        """What a month earns of it."""
        return sum((share for slot, share in self.shares.items() if slot.month == month), ZERO)

    def recognized_before(self, month: date) -> Decimal:
        """What all months before one earn of it."""
        return sum((share for slot, share in self.shares.items() if slot.month < month), ZERO)


def first_of(day: date) -> date:
    """Return the first day of a day's month."""
    return day.replace(day=1)


def month_after(month: date) -> date:
    """Return the first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def by_day(amount: Decimal, start: date, end: date, currency: str) -> dict[date, Decimal]:
    """Divide an amount over the days from ``start`` until before ``end``; return it by month.

    What is earned until a month's end is rounded, so the months add up to the amount.
    """
    days = (end - start).days
    if days <= 0:
        return {first_of(start): amount}
    months: dict[date, Decimal] = {}
    month, before = first_of(start), ZERO
    while month < end:
        following = month_after(month)
        passed = (min(following, end) - start).days
        earned = round_fraction(Fraction(amount) * passed / days, currency)
        months[month], before, month = earned - before, earned, following
    return months


def distributed(amount: Decimal, weights: Shares, currency: str) -> dict[Slot, Decimal] | None:
    """Divide an amount in proportion to ``weights``; None where these add up to nothing.

    The running sum is rounded, so the parts add up to the amount.
    """
    whole = sum(weights.values(), ZERO)
    if not whole:
        return None
    parts: dict[Slot, Decimal] = {}
    running = before = ZERO
    for slot, weight in sorted(weights.items()):
        running += weight
        reached = round_fraction(Fraction(amount) * Fraction(running) / Fraction(whole), currency)
        parts[slot], before = reached - before, reached
    return parts


def revenue_of(account: Account, earlier: Mapping[str, Account]) -> list[Revenue]:
    """Return what an invoice, its credit notes and its void do to revenue, in this order.

    ``earlier`` has the progressive invoices by number that its lines take off again.
    """
    invoice = account.invoice
    if invoice.sells_credit:  # earned as the credit is used, by the wallet's months
        of = ((invoice.id, invoice.number, invoice.issued_on),)
        notes = ((note.id, note.number, note.issued_on) for note in account.notes)
        return [_revenue(invoice, *document, {}) for document in (*of, *notes)]
    with exact_arithmetic():
        shares = _shares_of_lines(invoice, earlier)
        # What credit a contract brought stays: to waive an instalment of it lowers revenue
        earned = {} if invoice.pays_ahead else _summed(shares)
        revenues = [
            _revenue(invoice, invoice.id, invoice.number, invoice.issued_on, earned),
            *(_credited(invoice, note, shares) for note in account.notes),
        ]
        if invoice.voided_on is not None:
            back = {slot: -share for slot, share in _summed(shares).items()}
            clipped = _clipped(back, first_of(invoice.voided_on))
            reference = f"{invoice.number}-void"
            revenues.append(_revenue(invoice, invoice.id, reference, invoice.voided_on, clipped))
        return revenues


def _credited(invoice: BookedInvoice, note: BookedNote, shares: Sequence[Shares]) -> Revenue:
    booked = first_of(note.issued_on)
    credited = [(invoice.lines[number - 1].kind, amount) for number, amount in note.lines.items()]
    taken: list[Shares] = []
    for number, net in zip(note.lines, _nets(credited, note.taxes, invoice.currency), strict=True):
        at_once = {Slot(booked, _plan(invoice.lines[number - 1])): -net}
        taken.append(distributed(-net, shares[number - 1], invoice.currency) or at_once)
    clipped = _clipped(_summed(taken), booked)
    return _revenue(invoice, note.id, note.number, note.issued_on, clipped)


def _revenue(
    invoice: BookedInvoice, document: str, reference: str, booked_on: date, shares: Shares
) -> Revenue:
    return Revenue(
        invoice.tenant, document, reference, invoice.currency, first_of(booked_on), shares
    )


def _shares_of_lines(invoice: BookedInvoice, earlier: Mapping[str, Account]) -> list[Shares]:
    """Return each line's net amount by month, in the order of the lines."""
    booked, currency = first_of(invoice.issued_on), invoice.currency
    nets = _nets([(line.kind, line.amount) for line in invoice.lines], invoice.taxes, currency)
    shares: list[Shares] = []
    for line, net in zip(invoice.lines, nets, strict=True):
        plan = _plan(line)
        months = by_day(net, line.start, line.end, currency)
        shares.append({Slot(month, plan): share for month, share in months.items()})
    for place, (line, net) in enumerate(zip(invoice.lines, nets, strict=True)):
        weights: Shares = {}
        if line.kind in (INVOICED_BEFORE, REDEEMED_BEFORE) and line.item in earlier:
            before = earlier[line.item].invoice
            weights = _summed(
                share
                for other, share in zip(
                    before.lines, _shares_of_lines(before, earlier), strict=True
                )
                if (other.kind in AFTER_TAX) == (line.kind == REDEEMED_BEFORE)
            )
        elif line.kind == _DISCOUNT:
            weights = _summed(
                share
                for other, share in zip(invoice.lines, shares, strict=True)
                if (other.kind, other.plan, other.late) == (CHARGE, line.plan, line.late)
            )
        shares[place] = distributed(net, weights, currency) or shares[place]
    return [
        _clipped(share, booked) if line.late or invoice.catches_up else share
        for line, share in zip(invoice.lines, shares, strict=True)
    ]


def _nets(
    lines: Sequence[tuple[str, Decimal]], taxes: Sequence[BookedTax], currency: str
) -> list[Decimal]:
    """Return the amounts of lines, given with their kinds, less the tax that is within them."""
    within = sum((tax.amount for tax in taxes if tax.inclusive), ZERO)
    taxed = [amount for kind, amount in lines if kind not in AFTER_TAX]
    nets = iter(net_of_parts(taxed, within, currency))
    return [amount if kind in AFTER_TAX else next(nets) for kind, amount in lines]


def _clipped(shares: Shares, booked: date) -> dict[Slot, Decimal]:
    """Move what belongs to months before ``booked`` into that month."""
    clipped: defaultdict[Slot, Decimal] = defaultdict(Decimal)
    for slot, share in shares.items():
        clipped[Slot(max(slot.month, booked), slot.plan)] += share
    return dict(clipped)


def _summed(parts: Iterable[Shares]) -> dict[Slot, Decimal]:
    total: defaultdict[Slot, Decimal] = defaultdict(Decimal)
    for shares in parts:
        for slot, share in shares.items():
            total[slot] += share
    return dict(total)


def _plan(line: BookedLine) -> str:
    return line.plan or ""
