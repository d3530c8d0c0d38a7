"""What a tax service is asked about an invoice, and what it answers."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from backend_client.types.charges import Percent
from backend_client.types.common import Amount, Answer, Currency, Exact
from backend_client.types.spend import Period
from backend_client.types.taxes import TaxName

Note = Annotated[str, Field(min_length=1, max_length=500)]
AnsweredAmount = Annotated[Amount, Field(max_digits=24)]


class TaxedCustomer(Answer):
    """Who buys, as it is on the invoice. ``business``: it says that it is one."""

    name: str
    address: list[str]
    country: str | None
    region: str | None
    business: bool
    tax_id: str | None


class TaxedSeller(Answer):
    """Who sells, as configured."""

    name: str
    country: str | None
    tax_id: str | None


class TaxedLine(Answer):
    """A line of the invoice before tax; ``charge`` is the id of the plan's charge, if it is one.

    ``kind`` is as on the invoice: what is not a ``charge`` may be below zero, such as a discount.
    ``tax_code`` is that of a line that the operator put on the invoice.
    """

    line: int
    kind: str
    name: str
    plan: str | None
    charge: str | None
    period: Period
    quantity: Exact | None
    amount: Amount
    tax_code: str | None = None


class TaxQuestion(Answer):
    """What the tax service is asked about an invoice that has all but its tax.

    ``id`` is the draft's, which the invoice keeps. ``subtotal`` is the sum of the lines, in which
    prices are as listed. With ``preview`` nothing is issued on the answer: somebody looks at a
    draft.
    """

    id: str
    preview: bool = False
    kind: Literal["period", "progressive", "one_off", "top_up"]
    tenant: str
    seller: TaxedSeller
    customer: TaxedCustomer
    currency: Currency
    tax_date: date
    lines: list[TaxedLine]
    subtotal: Amount


class AnsweredTax(Answer):
    """A tax of ``percent`` on ``taxable``, on top of the subtotal or (``inclusive``) within it.

    ``taxable`` has no tax in it. Amounts are in whole minor units of the question's currency.
    """

    name: TaxName
    percent: Percent
    inclusive: bool
    taxable: AnsweredAmount
    amount: AnsweredAmount


class TaxAnswer(Answer):
    """What the tax service answers. ``notes`` are printed, such as why there is no tax.

    ``total``, if it is given, is what the invoice must come to: the subtotal and what is on top.
    """

    taxes: list[AnsweredTax] = Field(max_length=20)
    notes: list[Note] = Field([], max_length=10)
    total: AnsweredAmount | None = None
