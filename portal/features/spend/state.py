"""The spend page: the period's lines as they would be billed now, and where they lead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend_client.types.spend import SpendReport
from portal.kit.formatting import count, exact_money, meter_name, money, period
from portal.session import polling
from portal.session.guard import SPENDERS, Caller, signed_in
from portal.session.live import feeds
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.charges.rows import LineRow, adjustment_row, line_row
from portal.shared.forecast.state import ForecastState
from portal.shared.usage import spend_report


@dataclass(frozen=True)
class UnpricedRow:
    """Usage that the plan doesn't price."""

    model: str
    meter: str
    quantity: str


class Spend(ForecastState, PageState, Session):
    """What the period has cost so far, by line."""

    period_name: str = ""
    total: str = ""
    exact_total: str = ""
    lines: list[LineRow] = []
    adjustments: list[LineRow] = []
    unpriced: list[UnpricedRow] = []

    @signed_in(roles=SPENDERS, background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Load the page, and follow the tenant's usage until the browser leaves it."""
        version: int | None = None
        forecast_due = False

        async def look() -> bool:
            nonlocal version, forecast_due
            now = feeds.version(caller)
            if version is None or version != now:
                spend = await spend_report(caller)
                version, forecast_due = now, True
                async with self:
                    self._show(spend)
                    self._ready()
            if forecast_due:
                forecast_due = await self._look_ahead(caller, version)
            return forecast_due

        return await self._follow_usage(caller, look, polling.USAGE_FIGURES)

    def _show(self, spend: SpendReport) -> None:
        zone = spend.period.time_zone
        self.period_name = period(spend.period.start, spend.period.end, zone)
        self.total = money(spend.total.amount, spend.currency)
        self.exact_total = exact_money(spend.exact_total, spend.currency)
        self.lines = [line_row(line, spend.currency, zone) for line in spend.lines]
        self.adjustments = [
            adjustment_row(adjustment, spend.currency) for adjustment in spend.adjustments
        ]
        self.unpriced = [
            UnpricedRow(used.model, meter_name(used.meter), count(used.quantity))
            for used in spend.unpriced
        ]
