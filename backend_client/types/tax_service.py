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

    name: str = Field(description="The customer's name.")
    address: list[str] = Field(description="The lines of its postal address.")
    country: str | None = Field(
        description="Its country by ISO 3166-1, such as `DE`; null if not known."
    )
    region: str | None = Field(description="Its state or province, by its code; null if not known.")
    business: bool = Field(description="Whether it says that it buys as a business.")
    tax_id: str | None = Field(description="Its VAT id or other tax number; null for none.")


class TaxedSeller(Answer):
    """Who sells, as configured."""

    name: str = Field(description="The seller's name.")
    country: str | None = Field(
        description="Its country by ISO 3166-1, such as `DE`; null if not set."
    )
    tax_id: str | None = Field(description="Its VAT id or other tax number; null if not set.")


class TaxedLine(Answer):
    """A line of the invoice before tax; ``charge`` is the id of the plan's charge, if it is one.

    ``kind`` is as on the invoice: what is not a ``charge`` may be below zero, such as a discount.
    ``tax_code`` is that of a line that the operator put on the invoice.
    """

    line: int = Field(description="Which line of the invoice, counted from 1.")
    kind: str = Field(description="What the line is, such as a `charge` or a `discount`.")
    name: str = Field(description="What the line says.")
    plan: str | None = Field(
        description="The plan that asks for it, by id; null for what is of no plan."
    )
    charge: str | None = Field(
        description="The plan's charge, by id; null for a line that is none."
    )
    period: Period = Field(description="The time that it is for.")
    quantity: Exact | None = Field(description="How many units; null for a line without units.")
    amount: Amount = Field(description="What the line asks for; below zero if it takes off.")
    tax_code: str | None = Field(
        None,
        description="The tax code of a line that the operator put on the invoice; null for none.",
    )


class TaxQuestion(Answer):
    """What the tax service is asked about an invoice that has all but its tax.

    ``id`` is the draft's, which the invoice keeps. ``subtotal`` is the sum of the lines, in which
    prices are as listed. With ``preview`` nothing is issued on the answer: somebody looks at a
    draft.
    """

    id: str = Field(description="The draft, by its id, which the invoice keeps.")
    preview: bool = Field(
        False,
        description="Whether somebody only looks at a draft, so that nothing is issued on the "
        "answer.",
    )
    kind: Literal["period", "progressive", "one_off", "top_up"] = Field(
        description="What the invoice is for."
    )
    tenant: str = Field(description="The customer, by its id.")
    seller: TaxedSeller = Field(description="Who sells.")
    customer: TaxedCustomer = Field(description="Who buys.")
    currency: Currency
    tax_date: date = Field(description="The day whose tax rates hold.")
    lines: list[TaxedLine] = Field(description="What is billed, line by line.")
    subtotal: Amount = Field(description="The sum of the lines.")


class AnsweredTax(Answer):
    """A tax of ``percent`` on ``taxable``, on top of the subtotal or (``inclusive``) within it.

    ``taxable`` has no tax in it. Amounts are in whole minor units of the question's currency.
    """

    name: TaxName = Field(description="What the tax is called on the invoice.")
    percent: Percent = Field(description="The rate in percent.")
    inclusive: bool = Field(
        description="Whether it is within the lines; otherwise it comes on top."
    )
    taxable: AnsweredAmount = Field(description="The amount that it is on, without tax.")
    amount: AnsweredAmount = Field(description="How much tax that is, in whole minor units.")


class TaxAnswer(Answer):
    """What the tax service answers. ``notes`` are printed, such as why there is no tax.

    ``total``, if it is given, is what the invoice must come to: the subtotal and what is on top.
    """

    taxes: list[AnsweredTax] = Field(
        max_length=20, description="The taxes on the invoice; empty for none."
    )
    notes: list[Note] = Field(
        [],
        max_length=10,
        description="Sentences to print on the invoice, such as why there is no tax.",
    )
    total: AnsweredAmount | None = Field(
        None,
        description="What the invoice must come to; null takes the subtotal and the taxes on top.",
    )
