"""Which rates of the catalog a customer pays on a tax date, and why it pays none. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from backend.pricing.tax.lines import TaxRate
from backend_client.types.taxes import CatalogTax

REVERSE_CHARGE: Final = "Reverse charge:"
"""How the note of an invoice begins whose tax the customer accounts for."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """Where a customer is taxed, and whether it is a ``business`` with a tax id.

    ``country`` is None if it is not on record.
    """

    country: str | None
    region: str | None = None
    business: bool = False


@dataclass(frozen=True, slots=True)
class ChosenRates:
    """The rates to charge, and the sentences about them that the invoice must have."""

    rates: tuple[TaxRate, ...] = ()
    notes: tuple[str, ...] = ()


def choose_rates(
    table: Sequence[CatalogTax], buyer: Buyer, seller_country: str | None, tax_date: date
) -> ChosenRates:
    """Return every rate of ``table`` that holds for ``buyer`` on ``tax_date``, in its order.

    A customer whose country is not on record counts as one in the seller's. A rate with
    ``reverse_charge`` is not charged to a business in another country than the seller's; if that is
    not known, it is. With an empty table no tax is charged, and no note is made.
    """
    if not table:
        return ChosenRates()
    country = buyer.country or seller_country
    if country is None:
        return ChosenRates(notes=("No tax is charged: the customer's country is not on record.",))
    region = buyer.region if buyer.country else None
    holding = [tax for tax in table if tax.holds_in(country, region) and tax.holds_on(tax_date)]
    if not holding:
        return ChosenRates(
            notes=(f"No tax is charged: no rate is set for customers in {country}.",)
        )
    notes = []
    if buyer.country is None:
        notes.append(f"Taxed as in {country}: the customer's country is not on record.")
    abroad = buyer.business and seller_country not in {None, country}
    shifted = [tax for tax in holding if abroad and tax.reverse_charge]
    if shifted:
        names = " and ".join(dict.fromkeys(tax.name for tax in shifted))
        notes.append(f"{REVERSE_CHARGE} the customer accounts for {names} in {country}.")
    rates = tuple(
        TaxRate(tax.id, tax.name, tax.percent, tax.inclusive)
        for tax in holding
        if tax not in shifted
    )
    return ChosenRates(rates, tuple(notes))
