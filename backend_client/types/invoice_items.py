"""Lines of the operator's own that wait for a customer's next invoice."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from backend_client.types.common import Answer, Exact, Instant, Money, Wire
from backend_client.types.invoices import Positive, Text

UnitPrice = Annotated[Exact, Field(max_digits=24, decimal_places=6, allow_inf_nan=False)]


class InvoiceItemCreate(Wire):
    """A line for the next invoice: ``amount``, or ``quantity`` times ``unit_price``, rounded once.

    Below zero it is a credit: it takes off no more than the invoice asks for, and the rest waits
    for the following one. ``tax_code`` is for the tax service. ``start`` and ``end`` are the time
    that it is for, the invoice's own period if they are null.
    """

    name: Text = Field(description="What the line of the invoice says.")
    amount: UnitPrice | None = Field(
        None,
        description="What it comes to, in the tenant's currency, below zero for a credit; "
        "null if `unit_price` is given.",
    )
    quantity: Positive = Field(Decimal(1), description="How many units; 1 with an `amount`.")
    unit_price: UnitPrice | None = Field(
        None, description="What a unit costs, below zero for a credit; null if `amount` is given."
    )
    tax_code: Text | None = Field(
        None, description="What the tax service knows such a thing by; null for none."
    )
    start: Instant | None = None
    end: Instant | None = None

    @model_validator(mode="after")
    def _says_what_it_comes_to(self) -> Self:
        if (self.amount is None) == (self.unit_price is None):
            raise ValueError("give either an amount, or a unit_price with its quantity")
        if self.amount is not None and self.quantity != 1:
            raise ValueError("an amount has no quantity: give a unit_price")
        return self

    @model_validator(mode="after")
    def _has_a_whole_period(self) -> Self:
        if (self.start is None) != (self.end is None):
            raise ValueError("start and end come together")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("end must be after start")
        return self


class InvoiceItem(Answer):
    """A line that waits (``pending``), or was taken by the invoice ``invoice_id``.

    ``left`` is what invoices have still to take of ``amount``: of a credit it may be a part.
    """

    id: str
    state: Literal["pending", "invoiced"] = Field(
        description="`pending` until an invoice has taken all of it, then `invoiced`."
    )
    name: str = Field(description="What the line of the invoice says.")
    quantity: Exact | None = Field(
        description="How many units; null for a line that was given as an amount."
    )
    unit_price: Exact | None = Field(
        description="What a unit costs; null for a line that was given as an amount."
    )
    amount: Money = Field(description="What the line comes to, below zero for a credit.")
    left: Money = Field(description="What invoices have still to take of `amount`.")
    tax_code: str | None = Field(
        description="What the tax service knows such a thing by; null for none."
    )
    start: Instant | None
    end: Instant | None
    invoice_id: str | None
    created_at: Instant
