"""Whether a tax service's answer can be right. Pure."""

from __future__ import annotations

from decimal import Decimal

from backend.pricing.money import ZERO, exact_arithmetic, minor_digits, money, round_to_minor_unit
from backend_client.types.common import plain
from backend_client.types.invoices import Tax
from backend_client.types.tax_service import AnsweredTax, TaxAnswer, TaxQuestion


def checked(answer: TaxAnswer, question: TaxQuestion) -> list[Tax]:
    """Return the taxes that an answer says an invoice has.

    Raises ``ValueError``, which says what is wrong, unless amounts are in minor units and of the
    subtotal's sign, each is its percentage of what it is on within one minor unit, and none is on
    more than there is.
    """
    with exact_arithmetic():
        for tax in answer.taxes:
            _check(tax, question)
        within = sum((tax.amount for tax in answer.taxes if tax.inclusive), ZERO)
        for tax in answer.taxes:
            if tax.inclusive and abs(tax.taxable + within) > abs(question.subtotal):
                raise ValueError(
                    f"{tax.name}: {plain(tax.taxable)} and the taxes within prices, "
                    f"{plain(within)}, are more than the subtotal {plain(question.subtotal)}"
                )
        on_top = sum((tax.amount for tax in answer.taxes if not tax.inclusive), ZERO)
        total = question.subtotal + on_top
        if answer.total is not None and answer.total != total:
            raise ValueError(
                f"the total is {plain(answer.total)}, but the subtotal and the taxes on top of it "
                f"are {plain(total)}"
            )
    currency = question.currency
    return [
        Tax(
            name=tax.name,
            percent=tax.percent,
            inclusive=tax.inclusive,
            taxable=money(tax.taxable, currency),
            amount=money(tax.amount, currency),
        )
        for tax in answer.taxes
    ]


def _check(tax: AnsweredTax, question: TaxQuestion) -> None:
    currency, subtotal = question.currency, question.subtotal
    for name, amount in (("amount", tax.amount), ("taxable", tax.taxable)):
        if round_to_minor_unit(amount, currency) != amount:
            raise ValueError(
                f"{tax.name}: the {name} {plain(amount)} has more than the "
                f"{minor_digits(currency)} decimals of {currency}"
            )
        if (amount < 0 < subtotal) or (amount > 0 > subtotal):
            raise ValueError(
                f"{tax.name}: the {name} {plain(amount)} is not of the sign of the subtotal "
                f"{plain(subtotal)}"
            )
    if abs(tax.taxable) > abs(subtotal):
        raise ValueError(
            f"{tax.name}: it is on {plain(tax.taxable)}, more than the subtotal {plain(subtotal)}"
        )
    exact = tax.taxable * tax.percent / 100
    unit = Decimal(1).scaleb(-minor_digits(currency)) if exact else ZERO
    if abs(tax.amount - exact) > unit:
        raise ValueError(
            f"{tax.name}: {plain(tax.amount)} is not {plain(tax.percent)}% of {plain(tax.taxable)}"
        )
