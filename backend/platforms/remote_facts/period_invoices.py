"""Invoices that a platform writes for usage which it rates: kept, and compared with our rating."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.platforms.adapter import PeriodInvoiced
from backend.platforms.documents import RatedInvoice
from backend.platforms.drift import Difference, record_drift
from backend.platforms.remote_ids import note_state, own_object
from backend.pricing.money import round_to_minor_unit
from backend.pricing.periods import BillingPeriod
from backend.spend.gathering import metered_period
from backend.subscriptions.periods import period_at
from backend.subscriptions.rated_elsewhere import is_rated_elsewhere, rated_elsewhere
from backend.wallets.bills import pay_from_credit
from backend_client.types.accounts import Tenant

_KIND = "period_invoice"


async def period_invoiced(
    connection: AsyncConnection, platform: str, fact: PeriodInvoiced, now: datetime
) -> bool:
    """Keep how an invoice of the platform's own stands, and record what differs from our rating.

    What its credit paid of a final one is taken from the wallet here too, once: it is the same
    credit. Return whether the customer is ours.
    """
    ours = await own_object(connection, platform, "customer", fact.customer)
    if ours is None:
        return False
    tenant = await find_tenant(connection, ours["tenant_id"])
    invoice, since = fact.invoice, f"{int(fact.invoice.start.timestamp())}"
    state: dict[str, object] = {
        "start": invoice.start.isoformat(),
        "end": invoice.end.isoformat(),
        "currency": invoice.currency,
        "total": str(invoice.total),
        "prepaid": str(invoice.prepaid),
        "status": invoice.status,
        "payment": invoice.payment,
    }
    await note_state(connection, platform, tenant.id, _KIND, since, invoice.remote_id, state)
    period = await period_at(connection, tenant, invoice.start)
    stretches = await rated_elsewhere(connection, [tenant.id])
    if is_rated_elsewhere(stretches, tenant.id, period):
        differences = [
            *await _compared(connection, tenant, period, invoice),
            *await _credit(connection, platform, tenant, period, invoice, now),
        ]
    else:
        differences = list(_not_theirs(invoice))
    subject = f"{invoice.start.astimezone(UTC):%Y-%m-%d}"
    await record_drift(connection, platform, tenant.id, _KIND, subject, differences, now)
    return True


async def _compared(
    connection: AsyncConnection, tenant: Tenant, period: BillingPeriod, invoice: RatedInvoice
) -> list[Difference]:
    differences = []
    if invoice.failure is not None:
        detail = f"{invoice.total} {invoice.currency} were not collected: {invoice.failure}"
        differences.append(Difference("payment_failed", None, invoice.payment, detail))
    if (period.start, period.end) != (invoice.start, invoice.end):
        ours = f"{period.start.isoformat()} to {period.end.isoformat()}"
        theirs = f"{invoice.start.isoformat()} to {invoice.end.isoformat()}"
        detail = "It invoices another period than the tenant's."
        differences.append(Difference("period_differs", ours, theirs, detail))
    elif invoice.final:
        rated = (await metered_period(connection, tenant, period)).rate()
        # Rounded line by line, as our invoices are, or once for all, as platforms do
        totals = {rated.total, round_to_minor_unit(rated.exact_total, tenant.currency)}
        theirs_rounded = round_to_minor_unit(invoice.total, invoice.currency)
        if invoice.currency != tenant.currency or theirs_rounded not in totals:
            differences.append(
                Difference(
                    "rated_otherwise",
                    f"{rated.total} {tenant.currency}",
                    f"{theirs_rounded} {invoice.currency}",
                    "Its invoice is final, and by our rating the period comes to something else.",
                )
            )
    return differences


async def _credit(
    connection: AsyncConnection,
    platform: str,
    tenant: Tenant,
    period: BillingPeriod,
    invoice: RatedInvoice,
    now: datetime,
) -> list[Difference]:
    """Take from the wallet what the platform drew on its own record of the same credit."""
    if not invoice.final or invoice.prepaid <= 0:
        return []
    drawn = round_to_minor_unit(invoice.prepaid, tenant.currency)
    cause = f"{platform}:{int(period.start.timestamp())}"
    paid = await pay_from_credit(connection, tenant, cause, drawn, period, now)
    if paid == drawn:
        return []
    detail = "Its invoice drew more credit than the wallet has here."
    return [Difference("credit_differs", str(paid), str(drawn), detail)]


def _not_theirs(invoice: RatedInvoice) -> Iterator[Difference]:
    if invoice.total > 0:
        detail = f"It asks for {invoice.total} {invoice.currency} of a period that is billed here."
        yield Difference("billed_twice", None, str(invoice.total), detail)
