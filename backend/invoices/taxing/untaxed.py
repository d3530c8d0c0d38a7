"""An invoice that lacks its tax, and the question to a tax service about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b
from zoneinfo import ZoneInfo

from backend.customers.profiles import Profile, seller
from backend.invoices.rules.lines import CHARGE, ComposedLine, taxable_of, total_of
from backend.pricing.money import round_to_minor_unit
from backend.pricing.periods import INSTANT, BillingPeriod
from backend.settings import Settings
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import AFTER_TAX, InvoiceKind
from backend_client.types.tax_service import TaxedCustomer, TaxedLine, TaxedSeller, TaxQuestion


@dataclass(frozen=True, slots=True)
class Untaxed:
    """An invoice before its tax and its number. ``id`` is the draft's.

    The rates in force on ``tax_date`` are charged.
    """

    id: str
    kind: InvoiceKind
    tenant: Tenant
    profile: Profile
    period: BillingPeriod
    lines: Sequence[ComposedLine]
    tax_date: date

    @property
    def subtotal(self) -> Decimal:
        """The sum of the lines."""
        return total_of(self.lines)

    @property
    def taxable(self) -> Decimal:
        """What of it tax falls on: all but what is taken off after tax."""
        return taxable_of(self.lines)


def closing_day(period: BillingPeriod) -> date:
    """Return the tax date of an invoice that closes a period: its last day, on its own clocks."""
    return day_at(period.end - INSTANT, period)


def day_at(moment: datetime, period: BillingPeriod) -> date:
    """Return the tax date of an invoice that is issued at ``moment``, while its period runs."""
    return moment.astimezone(ZoneInfo(period.time_zone)).date()


def question_of(invoice: Untaxed, settings: Settings, *, preview: bool = False) -> TaxQuestion:
    """Return what the tax service is asked about an invoice: its lines before tax."""
    currency, details = invoice.tenant.currency, invoice.profile.details
    sells = seller(settings)
    return TaxQuestion(
        id=invoice.id,
        preview=preview,
        kind=invoice.kind.value,
        tenant=invoice.tenant.id,
        seller=TaxedSeller(name=sells.name, country=sells.country, tax_id=sells.tax_id),
        customer=TaxedCustomer(
            name=invoice.profile.customer(invoice.tenant).name,
            address=details.address,
            country=details.country,
            region=details.region,
            business=details.business,
            tax_id=details.tax_id,
        ),
        currency=currency,
        tax_date=invoice.tax_date,
        lines=[
            TaxedLine(
                line=number,
                kind=line.of.kind,
                name=line.name,
                plan=line.of.plan,
                charge=line.of.item if line.of.kind == CHARGE else None,
                period=line.period,
                quantity=line.quantity,
                amount=round_to_minor_unit(line.amount, currency),
                tax_code=line.tax_code,
            )
            for number, line in enumerate(invoice.lines, start=1)
            if line.of.kind not in AFTER_TAX
        ],
        subtotal=round_to_minor_unit(invoice.taxable, currency),
    )


def digest(question: TaxQuestion) -> str:
    """Return a digest of the whole question."""
    return blake2b(question.model_dump_json().encode(), digest_size=16).hexdigest()
