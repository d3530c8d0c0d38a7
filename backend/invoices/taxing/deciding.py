"""Who says what tax an invoice has: the operator, else the tax service, else the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.catalog.tax_rates import tax_table
from backend.invoices.rules.lines import may_be_taxed_only, worth_invoicing
from backend.invoices.taxing.answers import TaxAnswers
from backend.invoices.taxing.untaxed import Untaxed, question_of
from backend.pricing.money import money
from backend.pricing.tax.lines import TaxLine, TaxRate, add_tax
from backend.pricing.tax.rate_choice import choose_rates
from backend.settings import Settings
from backend_client.types.invoices import Tax
from backend_client.types.taxes import CatalogTax

EXEMPT: Final = "Exempt from tax:"
"""How the note of an invoice begins whose customer is exempt."""


@dataclass(frozen=True, slots=True)
class InvoiceTax:
    """What an invoice says of tax."""

    taxes: list[Tax] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TaxRules:
    """What the tax of an invoice is decided by."""

    settings: Settings
    table: Sequence[CatalogTax]
    answers: TaxAnswers

    def decide(self, invoice: Untaxed) -> InvoiceTax:
        """Return the tax of an invoice, by the first of these that there is.

        An exemption, the tax that was agreed with the customer, the tax service, the rates of the
        catalog. Raises ``TaxQuestionOpen`` if the service has not been asked about this very
        invoice, ``TaxNotKnown`` if it had no good answer.
        """
        profile = invoice.profile
        if profile.terms.tax_exemption is not None:
            return InvoiceTax(notes=[f"{EXEMPT} {profile.terms.tax_exemption}"])
        agreed = profile.agreed_tax()
        if agreed is not None:
            return InvoiceTax(_taxes([agreed], invoice))
        if self.settings.tax_service_url is not None:
            if not (worth_invoicing(invoice.lines) or may_be_taxed_only(invoice.lines)):
                return InvoiceTax()
            answer = self.answers.to(question_of(invoice, self.settings))
            return InvoiceTax(answer.taxes, answer.notes)
        seller_country = self.settings.seller_country
        chosen = choose_rates(self.table, profile.buyer(), seller_country, invoice.tax_date)
        return InvoiceTax(_taxes(chosen.rates, invoice), list(chosen.notes))


async def tax_rules(
    connection: AsyncConnection, settings: Settings, answers: TaxAnswers
) -> TaxRules:
    """Read what taxes are decided by now."""
    return TaxRules(settings, await tax_table(connection), answers)


def _taxes(rates: Sequence[TaxRate], invoice: Untaxed) -> list[Tax]:
    currency = invoice.tenant.currency
    return [wire_tax(line, currency) for line in add_tax(invoice.taxable, rates, currency).taxes]


def wire_tax(line: TaxLine, currency: str) -> Tax:
    """Put a tax into the wire's words."""
    return Tax(
        rate_id=line.rate.id or None,
        name=line.rate.name,
        percent=line.rate.percent,
        inclusive=line.rate.inclusive,
        taxable=money(line.taxable, currency),
        amount=money(line.amount, currency),
    )


def tax_line(tax: Tax) -> TaxLine:
    """Make of a tax of an invoice what the rules of ``backend.pricing.tax.lines`` work on."""
    rate = TaxRate(tax.rate_id or "", tax.name, tax.percent, tax.inclusive)
    return TaxLine(rate, tax.taxable.amount, tax.amount.amount)
