"""Which billing period of a tenant's a moment is in. Whoever bills asks here."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.periods import BillingPeriod, billing_period
from backend_client.types.accounts import Tenant


async def period_at(connection: AsyncConnection, tenant: Tenant, moment: datetime) -> BillingPeriod:
    """Return the tenant's billing period that holds ``moment``."""
    return billing_period(moment, tenant.time_zone)
