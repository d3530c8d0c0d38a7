"""Since when a tenant's usage can't change any more, so that its events may be archived."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.settings import Settings
from backend.subscriptions.periods import period_at
from backend_client.types.accounts import Tenant

_ONE_DAY = timedelta(days=1)


class SettledUsage:
    """Knows which usage is settled, by how late events may come and how long invoices wait.

    A billing period is rated anew while late events can reach it, service levels by its very
    calls. So the events of a period stay until it is invoiced and nothing can change it any more.
    """

    def __init__(self, settings: Settings) -> None:
        self._late = timedelta(days=settings.event_max_age_days, hours=settings.invoice_grace_hours)

    async def before(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> datetime:
        """Return the midnight (UTC) before which nothing of a tenant's can change any more."""
        period = await period_at(connection, tenant, now - self._late - _ONE_DAY)
        return period.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
