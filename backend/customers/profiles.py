"""Seller and buyer with their terms, as they are written on an invoice when it is issued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.errors import InvalidInput
from backend.kit.addresses import mailbox
from backend.pricing.money import exact_arithmetic
from backend.pricing.tax.lines import TaxRate
from backend.pricing.tax.rate_choice import Buyer
from backend.pricing.tax.vat_ids import fault_of
from backend.settings import Settings
from backend.storage.tables import billing_profiles
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import (
    BillingDetails,
    BillingTerms,
    LegalDetails,
    Party,
    PartyLegal,
    Tax,
)
from backend_client.types.texts import AS_STORED

_DETAILS = tuple(BillingDetails.model_fields)
_TERMS = tuple(BillingTerms.model_fields)


@dataclass(frozen=True, slots=True)
class Profile:
    """A tenant's name on invoices, and the terms agreed with it."""

    details: BillingDetails
    terms: BillingTerms

    def customer(self, tenant: Tenant) -> Party:
        """Return the buyer as it is printed on invoices."""
        details = self.details
        return Party(
            name=details.name or tenant.name,
            address=details.address,
            email=details.email,
            tax_id=details.tax_id,
            country=details.country,
            region=details.region,
            legal=party_legal(details.legal),
        )

    def net_days(self, settings: Settings) -> int:
        """Return the days from the invoice's issue to its due date."""
        agreed = self.terms.net_days
        return settings.invoice_net_days if agreed is None else agreed

    def agreed_tax(self) -> TaxRate | None:
        """Return the tax that was agreed with the customer, None if none was."""
        terms = self.terms
        if not terms.tax_percent:
            return None
        name = terms.tax_name or "Tax"
        return TaxRate("", name, terms.tax_percent, inclusive=terms.tax_inclusive)

    def buyer(self) -> Buyer:
        """Return where the customer is taxed, and whether as a business with a tax id."""
        details = self.details
        business = details.business and details.tax_id is not None
        return Buyer(details.country, details.region, business)


NO_PROFILE = Profile(BillingDetails(), BillingTerms())


def party_legal(legal: LegalDetails | None) -> PartyLegal | None:
    """Return a customer's details as those of a party of an invoice."""
    return None if legal is None else PartyLegal.model_validate(legal.model_dump())


def on_top(taxes: list[Tax]) -> Decimal:
    """Sum the taxes that come on top of the subtotal."""
    with exact_arithmetic():
        return sum((tax.amount.amount for tax in taxes if not tax.inclusive), Decimal(0))


def seller(settings: Settings) -> Party:
    """Return the issuer of the invoices, as configured."""
    return Party(
        name=settings.seller_name,
        address=settings.seller_address,
        email=settings.seller_email,
        tax_id=settings.seller_tax_id,
        country=settings.seller_country,
        legal=settings.seller_legal,
    )


def profile_from(row: Mapping[str, Any]) -> Profile:
    """Return a row with the columns of ``billing_profiles`` as a profile."""
    return Profile(
        BillingDetails.model_validate({name: row[name] for name in _DETAILS}, context=AS_STORED),
        BillingTerms.model_validate({name: row[name] for name in _TERMS}, context=AS_STORED),
    )


async def profile_of(connection: AsyncConnection, tenant_id: str) -> Profile:
    """Return a tenant's profile; ``NO_PROFILE`` if it has none."""
    query = select(billing_profiles).where(billing_profiles.c.tenant_id == tenant_id)
    row = (await connection.execute(query)).mappings().first()
    return NO_PROFILE if row is None else profile_from(dict(row))


async def set_details(
    connection: AsyncConnection, tenant_id: str, details: BillingDetails
) -> BillingDetails:
    """Set the tenant's details on future invoices.

    Raises ``InvalidInput`` for an e-mail address that no letter could go to, and for a business's
    VAT id that can't be one of its country.
    """
    if details.email is not None and mailbox(details.email.strip()) is None:
        raise InvalidInput.of_field("email", "is not one e-mail address, such as ann@example.com")
    if details.business and details.country is not None and details.tax_id is not None:
        fault = fault_of(details.tax_id, details.country)
        if fault is not None:
            raise InvalidInput.of_field("tax_id", fault)
    await _set(connection, tenant_id, details.model_dump())
    return details


async def set_terms(
    connection: AsyncConnection, tenant_id: str, terms: BillingTerms
) -> BillingTerms:
    """Set the terms of future invoices; issued ones keep theirs."""
    await _set(connection, tenant_id, terms.model_dump())
    return terms


async def _set(connection: AsyncConnection, tenant_id: str, values: dict[str, Any]) -> None:
    await connection.execute(
        insert(billing_profiles)
        .values(tenant_id=tenant_id, **values)
        .on_conflict_do_update(index_elements=[billing_profiles.c.tenant_id], set_=values)
    )
