"""The months of a tenant: its billing periods, and which of them are closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.chargeback.errors import ChargebackMonthNotFound
from backend.chargeback.rules.timeline import Timeline, local_day
from backend.invoices.drafts.billing_cursors import Unbilled, unbilled
from backend.pricing.periods import INSTANT, BillingPeriod
from backend.spend.report import period_of
from backend.storage.tables import billed_periods, chargeback_months
from backend.subscriptions.periods import period_at
from backend_client.types.accounts import Tenant
from backend_client.types.chargeback import ChargebackMode, MonthState, MonthSummary


@dataclass(frozen=True, slots=True)
class Month:
    """A billing period. ``closed`` is its row, if it is."""

    period: BillingPeriod
    state: MonthState
    closed: RowMapping | None = None

    @property
    def first_day(self) -> date:
        """The day by which it is known."""
        return local_day(self.period.start, self.period.time_zone)

    @property
    def last_day(self) -> date:
        """The day on which it is booked."""
        return local_day(self.period.end - INSTANT, self.period.time_zone)

    def summary(self, timeline: Timeline) -> MonthSummary:
        """Return it as the API shows it; while it is open, with the mode that the policy says."""
        policy = timeline.at(self.period.end - INSTANT).policy
        mode = ChargebackMode.SHOWBACK if policy is None else policy.mode
        return MonthSummary(
            month=self.first_day,
            period=period_of(self.period),
            state=self.state,
            has_policy=policy is not None,
            mode=mode if self.closed is None else ChargebackMode(self.closed["mode"]),
            closed_at=None if self.closed is None else self.closed["closed_at"],
            closed_by=None if self.closed is None else self.closed["closed_by"],
        )


@dataclass(frozen=True, slots=True)
class Months:
    """All months of a tenant, the earliest first. ``unbilled`` is the one that is invoiced next."""

    all: Sequence[Month]
    unbilled: Unbilled | None

    def find(self, first_day: date) -> Month:
        """Return the month that begins on a day; raise ``NotFound``."""
        for month in self.all:
            if month.first_day == first_day:
                return month
        raise ChargebackMonthNotFound()

    @property
    def closed(self) -> list[Month]:
        """Those that are closed."""
        return [month for month in self.all if month.closed is not None]

    @property
    def last_over(self) -> Month | None:
        """The last month that is invoiced, or the running one of a tenant without any."""
        invoiced = [month for month in self.all if month.state is not MonthState.RUNNING]
        return invoiced[-1] if invoiced else next(iter(self.all), None)

    def reopened(self) -> Months:
        """Return the same as if none were closed."""
        months = [
            month if month.closed is None else Month(month.period, MonthState.OPEN)
            for month in self.all
        ]
        return Months(months, self.unbilled)

    def carries(self, month: Month) -> bool:
        """Return whether what changed of closed months is borne by this one: the first open one."""
        closed = self.closed
        return bool(closed) and closed[-1].period.end == month.period.start


async def months_of(connection: AsyncConnection, tenant: Tenant, now: datetime) -> Months:
    """Return the months of a tenant: those that are invoiced, and those that run."""
    closed_query = select(chargeback_months).where(chargeback_months.c.tenant_id == tenant.id)
    closed = {
        row["period_start"]: row for row in (await connection.execute(closed_query)).mappings()
    }
    billed = (
        select(
            billed_periods.c.period_start, billed_periods.c.period_end, billed_periods.c.time_zone
        )
        .where(billed_periods.c.tenant_id == tenant.id)
        .order_by(billed_periods.c.period_start)
    )
    months = []
    for start, end, zone in await connection.execute(billed):
        state = MonthState.CLOSED if start in closed else MonthState.OPEN
        months.append(Month(BillingPeriod(start, end, zone), state, closed.get(start)))
    coming = await unbilled(connection, tenant.id)
    if coming is not None:
        running = coming.period
        while running.start <= now:
            months.append(Month(running, MonthState.RUNNING))
            running = await period_at(connection, tenant, running.end)
    return Months(months, coming)
