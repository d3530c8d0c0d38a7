"""Until when a tenant's usage is final, so that its events may be archived."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.settings import Settings
from backend.subscriptions.periods import period_at
from backend_client.types.accounts import Tenant

_ONE_DAY = timedelta(days=1)


class SettledUsage:
    """Computes which usage is final, from how late events may arrive and how long invoices wait.

    A billing period is rated again while late events can reach it, service levels from the calls
    themselves. So its events stay until it is invoiced and nothing can change it any more.
    """

    def __init__(self, settings: Settings) -> None:
        self._late = timedelta(days=settings.event_max_age_days, hours=settings.invoice_grace_hours)

    async def before(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> datetime:
        """Return the midnight (UTC) before which a tenant's usage is final.

        On a test clock that goes by the clock.
        """
        reached = (tenant.clock_at or now) - self._late - _ONE_DAY
        period = await period_at(connection, tenant, reached)
        return period.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
