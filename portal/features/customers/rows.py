"""Customers as the list shows them. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass

from backend_client.types.accounts import Tenant
from portal import routes
from portal.kit.formatting import date


@dataclass(frozen=True)
class CustomerRow:
    """A tenant in the list; ``address`` is its page, ``clock_page`` that of its clock, if any."""

    name: str
    slug: str
    address: str
    currency: str
    time_zone: str
    since: str
    is_sample: bool
    ingest: bool
    clock_page: str = ""


def customer_row(tenant: Tenant) -> CustomerRow:
    """A tenant as the list shows it."""
    return CustomerRow(
        name=tenant.name,
        slug=tenant.slug,
        address=routes.customer(tenant.slug),
        currency=tenant.currency,
        time_zone=tenant.time_zone,
        since=date(tenant.created_at, tenant.time_zone),
        is_sample=tenant.is_sample,
        ingest=tenant.ingest,
        clock_page="" if tenant.clock_at is None else routes.clock(tenant.slug),
    )
