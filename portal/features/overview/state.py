"""What the overview shows: spend so far and ahead, usage, quotas."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from backend_client.types.spend import SpendReport
from backend_client.types.subscriptions import Subscription
from backend_client.types.usage import UsageReport
from portal.features.overview.rows import QuotaUse, quota_use, requests_note, tokens
from portal.kit.formatting import compact, money, period
from portal.session import polling
from portal.session.guard import SPENDERS, Caller, signed_in
from portal.session.live import feeds
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.forecast.state import ForecastState
from portal.shared.usage import spend_report, subscription, usage_of_month


class Overview(ForecastState, PageState, Session):
    """The start page's figures, brought up to date while it is open."""

    period_name: str = ""
    plan: str = ""
    spend: str = ""
    tokens_today: str = ""
    requests_today: str = ""
    tokens_period: str = ""
    requests_period: str = ""
    quotas: list[QuotaUse] = []
    has_usage: bool = False

    @signed_in(background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Load the page, and follow the tenant's usage until the browser leaves it."""
        zone = ZoneInfo(caller.me.tenant.time_zone)
        sees_spend = caller.me.role in SPENDERS
        shown: tuple[int, date] | None = None
        forecast_due = False

        async def look() -> bool:
            nonlocal shown, forecast_due
            now = datetime.now(zone)
            if shown is None or shown != (feeds.version(caller), now.date()):
                usage, plan, spend = await asyncio.gather(
                    usage_of_month(caller, now),
                    subscription(caller),
                    _spend(caller, sees_spend=sees_spend),
                )
                shown, forecast_due = (usage.version, now.date()), sees_spend
                async with self:
                    self._show_usage(usage, plan, now)
                    self._show_spend(spend)
                    self._ready()
            if forecast_due and shown is not None:
                forecast_due = await self._look_ahead(caller, shown[0])
            return forecast_due

        return await self._follow_usage(caller, look, polling.USAGE_FIGURES)

    def _show_usage(self, usage: UsageReport, subscription: Subscription, now: datetime) -> None:
        today = [row for row in usage.rows if row.start.astimezone(now.tzinfo).date() == now.date()]
        self.has_usage = bool(usage.rows)
        self.tokens_today = compact(tokens(today))
        self.requests_today = requests_note(today)
        self.tokens_period = compact(tokens(usage.rows))
        self.requests_period = requests_note(usage.rows)
        plan = subscription.plan.definition
        self.plan = plan.name
        self.quotas = [quota_use(quota, usage.rows) for quota in plan.quotas]

    def _show_spend(self, spend: SpendReport | None) -> None:
        if spend is not None:
            self.spend = money(spend.total.amount, spend.currency)
            self.period_name = period(spend.period.start, spend.period.end, spend.period.time_zone)


async def _spend(caller: Caller, *, sees_spend: bool) -> SpendReport | None:
    return await spend_report(caller) if sees_spend else None
