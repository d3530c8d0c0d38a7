"""Rates of tax as data: what the catalog says of who pays which."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from backend_client.types.charges import Id, Percent, refuse
from backend_client.types.common import Answer, Instant, Wire
from backend_client.types.countries import Country, Region

TaxName = Annotated[str, Field(min_length=1, max_length=200)]


def _written_day(value: object) -> object:
    """Let only a day through as it is written: pydantic would take a number for seconds."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return value
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError("must be a day, such as 2026-01-31")


TaxDay = Annotated[date, BeforeValidator(_written_day)]


class CatalogTax(Wire):
    """A rate of the catalog: ``percent`` for customers in ``country`` or in its ``region``.

    A rate of a country is for all of its regions but ``except_regions``. It holds on tax dates from
    ``valid_from`` to ``valid_until``, both days included (null: without such a bound).
    ``inclusive``: prices hold it already. ``reverse_charge``: a business with a tax id, in another
    country than the seller's, accounts for it itself.
    """

    id: Id = Field(description="What the rate is known by within the catalog.")
    name: TaxName = Field(description="What the tax is called on invoices.")
    country: Country = Field(
        description="The country whose customers pay it, by its ISO 3166-1 code such as `DE`."
    )
    region: Region | None = Field(
        None,
        description="The state or province whose customers pay it, by its code; null for the "
        "whole country.",
    )
    except_regions: list[Region] = Field(
        [], max_length=100, description="Regions of the country whose customers don't pay it."
    )
    percent: Percent = Field(description="The rate in percent.")
    inclusive: bool = Field(
        False, description="Whether prices hold the tax already; otherwise it comes on top."
    )
    reverse_charge: bool = Field(
        False,
        description="Whether a business with a tax id, in another country than the seller's, "
        "accounts for it itself.",
    )
    valid_from: TaxDay | None = Field(
        None, description="The first tax date that it holds on; null for no such bound."
    )
    valid_until: TaxDay | None = Field(
        None, description="The last tax date that it holds on; null for no such bound."
    )

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        start, end = self.valid_from, self.valid_until
        if start is not None and end is not None and end < start:
            refuse("valid_until is before valid_from", "valid_until")
        if self.region is not None and self.except_regions:
            refuse("only a rate of a whole country has except_regions", "except_regions")
        return self

    def holds_on(self, day: date) -> bool:
        """Tell whether a tax date is within the rate's days."""
        return (self.valid_from or date.min) <= day <= (self.valid_until or date.max)

    def holds_in(self, country: str, region: str | None) -> bool:
        """Tell whether a customer there has the rate; ``region`` is null if it is not known."""
        if self.region is not None:
            return (self.country, self.region) == (country, region)
        return self.country == country and region not in self.except_regions

    def doubles(self, other: CatalogTax) -> bool:
        """Tell whether both are the same tax of the same place, on the same day."""
        mine, theirs = (self.name, self.country, self.region), (other.name, other.country)
        return (
            mine == (*theirs, other.region)
            and (self.valid_from or date.min) <= (other.valid_until or date.max)
            and (other.valid_from or date.min) <= (self.valid_until or date.max)
        )


def check_taxes(taxes: Sequence[CatalogTax]) -> None:
    """Refuse rates by which a tax would be asked for twice."""
    ids: set[str] = set()
    alike: defaultdict[tuple[str, str, str | None], list[CatalogTax]] = defaultdict(list)
    for index, tax in enumerate(taxes):
        if tax.id in ids:
            refuse(f"another tax has the id {tax.id!r}", "taxes", index, "id")
        ids.add(tax.id)
        others = alike[tax.name, tax.country, tax.region]
        for other in others:
            if tax.doubles(other):
                refuse(f"it is the same tax as {other.id!r}, on the same days", "taxes", index)
        others.append(tax)


class TaxIdOutcome(StrEnum):
    """What is known of a tax id. ``unavailable``: the service could not say yet."""

    UNCHECKED = "unchecked"
    VALID = "valid"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"


class TaxIdCheck(Answer):
    """What VIES says of a customer's tax id. Its form is checked when it is set.

    ``answered_at`` is when the service last said valid or not; ``problem`` why the question of
    ``asked_at`` had no answer. ``consultation`` is the service's number of its answer. ``name`` and
    ``address`` are as the register has them, where its country tells.
    """

    tax_id: str | None = Field(description="The customer's tax id; null if it has none.")
    outcome: TaxIdOutcome = Field(
        description="What is known of it: `unchecked`, `valid`, `invalid`, or `unavailable` "
        "if the service could not say yet."
    )
    problem: str | None = Field(
        None, description="Why the last question had no answer; null if it had one."
    )
    name: str | None = Field(
        None, description="The name in the register; null if its country does not tell."
    )
    address: str | None = Field(
        None, description="The address in the register; null if its country does not tell."
    )
    consultation: str | None = Field(
        None,
        description="The service's number of its answer, which proves it; null without one.",
    )
    asked_at: Instant | None = Field(
        None, description="When the service was last asked; null if never."
    )
    answered_at: Instant | None = Field(
        None, description="When it last said valid or not; null if never."
    )
