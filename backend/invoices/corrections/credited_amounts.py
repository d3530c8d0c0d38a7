"""What a credit note takes off: lines, their tax, and where what was paid for them goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import RowMapping

from backend.errors import InvalidInput
from backend.invoices.errors import AmountOverCreditable, InvoiceFullyCredited
from backend.invoices.rules.lifecycle import Balance, due
from backend.invoices.taxing.deciding import wire_tax
from backend.pricing.errors import TooManyDecimals
from backend.pricing.money import ZERO, minor_digits, round_to_minor_unit
from backend.pricing.tax.lines import TaxLine, tax_of_part
from backend_client.types.common import plain
from backend_client.types.invoices import CreditNoteCreate, InvoiceState, Tax


@dataclass(frozen=True, slots=True)
class TaxedBasis:
    """What an invoice's taxes are on: ``whole``, all lines but those ``after_tax``."""

    taxes: tuple[TaxLine, ...]
    whole: Decimal
    after_tax: frozenset[int]
    currency: str

    def taxable(self, lines: Mapping[int, Decimal]) -> Decimal:
        """Return what of some lines, by number, the taxes are on."""
        return sum((amount for line, amount in lines.items() if line not in self.after_tax), ZERO)

    def credited(self, notes: Sequence[RowMapping]) -> Decimal:
        """Return what notes took of what the taxes are on."""
        lines = (line for note in notes for line in note["lines"])
        return sum(
            (Decimal(line["amount"]) for line in lines if line["line"] not in self.after_tax), ZERO
        )

    def taxed(self, notes: Sequence[RowMapping]) -> Decimal:
        """Return what notes took of the tax on top; nothing if none of it is left."""
        return sum((note["tax"] for note in notes), ZERO) if self.is_taxed else ZERO

    @property
    def is_taxed(self) -> bool:
        """Whether a credit note of tax alone left anything on top of the lines."""
        return any(not tax.rate.inclusive for tax in self.taxes)

    def of_part(self, part: Decimal) -> tuple[TaxLine, ...]:
        """Return the taxes on a part of the whole."""
        return tax_of_part(self.taxes, self.whole, part, self.currency)


class CreditedAmounts(NamedTuple):
    """What a note takes off: lines by number, the tax on them, and where what was paid goes."""

    lines: dict[int, Decimal]
    subtotal: Decimal
    tax: Decimal
    taxes: list[Tax]
    total: Decimal
    paid_back: Decimal
    to_balance: Decimal

    @property
    def to_credit(self) -> Decimal:
        """What goes back into the wallet, which credit paid that was given away."""
        return self.paid_back - self.to_balance


def credited_amounts(
    wanted: CreditNoteCreate,
    row: RowMapping,
    basis: TaxedBasis,
    left: dict[int, Decimal],
    earlier: Sequence[RowMapping],
    *,
    most_in_money: Decimal,
) -> CreditedAmounts:
    """Return what a note takes off an invoice, after the ``earlier`` ones.

    ``most_in_money`` is what was paid of it in money, which goes back before what was given: a
    refund finds all that was paid. Raises ``InvoiceFullyCredited``;
    ``InvalidInput`` for more than is left of a line or of the invoice.
    """
    lines = {} if wanted.tax_only else _chosen(wanted, left, row["currency"])
    before = basis.credited(earlier)
    subtotal = sum(lines.values(), ZERO)
    after = basis.whole if wanted.tax_only else before + basis.taxable(lines)
    taxes = _taxes(basis, before, after)
    # Less what earlier notes took, so that all together are the invoice's tax to the cent
    tax = tax_on_top(basis, after) - basis.taxed(earlier)
    if wanted.tax_only:
        taxes = [each for each in taxes if not each.inclusive]
        if not tax:
            raise InvalidInput.of_field("tax_only", "finds no tax left on top of the lines")
    total = subtotal + tax
    if total <= 0 or row["total"] <= 0:
        raise InvoiceFullyCredited()
    if total > row["total"] - row["credited"]:
        rest = plain(row["total"] - row["credited"])
        raise AmountOverCreditable.of_field(
            "lines", f"are more than the {rest} that is left of the invoice"
        )
    asked = due(InvoiceState(row["state"]), Balance(row["total"], row["paid"], row["credited"]))
    paid_back = max(total - asked, ZERO)
    return CreditedAmounts(
        lines, subtotal, tax, taxes, total, paid_back, min(paid_back, most_in_money)
    )


def _chosen(
    wanted: CreditNoteCreate, left: dict[int, Decimal], currency: str
) -> dict[int, Decimal]:
    if not wanted.lines:
        return {line: amount for line, amount in left.items() if amount}
    chosen: dict[int, Decimal] = {}
    for index, credited in enumerate(wanted.lines):
        at = f"lines.{index}"
        if credited.line not in left:
            raise InvalidInput.of_field(f"{at}.line", "is not a line of this invoice")
        if credited.line in chosen:
            raise InvalidInput.of_field(f"{at}.line", "is named twice")
        amount = left[credited.line] if credited.amount is None else credited.amount
        if round_to_minor_unit(amount, currency) != amount:
            raise TooManyDecimals.of_field(
                f"{at}.amount", f"has more than {minor_digits(currency)} decimals"
            )
        if not 0 < amount <= left[credited.line]:
            raise AmountOverCreditable.of_field(
                f"{at}.amount", f"is not within the {plain(left[credited.line])} left of it"
            )
        chosen[credited.line] = amount
    return chosen


def _taxes(basis: TaxedBasis, before: Decimal, after: Decimal) -> list[Tax]:
    """Return each tax on what a note credits: on all credited after it, less that before it.

    Taxing the running sum makes the notes' taxes add up to the invoice's own.
    """
    return [
        wire_tax(
            replace(now, taxable=now.taxable - was.taxable, amount=now.amount - was.amount),
            basis.currency,
        )
        for was, now in zip(basis.of_part(before), basis.of_part(after), strict=True)
    ]


def tax_on_top(basis: TaxedBasis, taxable: Decimal) -> Decimal:
    """Return the tax on top of ``taxable``, all that is credited of an invoice."""
    return sum((tax.amount for tax in basis.of_part(taxable) if not tax.rate.inclusive), ZERO)
