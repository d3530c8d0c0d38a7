"""Where spend is heading: the forecast's figures and chart, for the pages that show it."""

from __future__ import annotations

from typing import Any

import reflex as rx

from backend_client import ClientError, Unauthenticated
from backend_client.types.spend import Forecast
from portal.kit.formatting import money
from portal.kit.vega_chart import PackedRows, packed
from portal.session.guard import Caller, changing
from portal.session.live import shared
from portal.session.polling import ANSWER_SECONDS
from portal.shared.forecast.chart import forecast_rows, spend_spec
from portal.shared.forecast.outlook import (
    PlanRow,
    forecast_description,
    forecast_method,
    plan_rows,
    quota_outlook,
    trust_note,
)


class ForecastState(rx.State, mixin=True):
    """``forecast_problem`` is why there is none; the page beside it goes on without.

    ``quota_outlooks`` are in the order of the plan's quotas.
    """

    expected: str = ""
    band: str = ""
    method: str = ""
    trust: str = ""
    on_plans: list[PlanRow] = []
    quota_outlooks: list[str] = []
    forecast_problem: str = ""
    spec: dict[str, Any] = {}
    rows: PackedRows = []
    description: str = ""

    async def _look_ahead(self, caller: Caller, version: int | None) -> bool:
        """Show the forecast; tell whether one that knows usage ``version`` is still to come.

        Raises:
            Unauthenticated: the session has ended.
        """
        try:
            forecast = await shared(
                caller, "forecast", caller.client.forecast.get, fresh_seconds=ANSWER_SECONDS
            )
        except Unauthenticated:
            raise
        except ClientError as problem:
            async with changing(self):
                self.forecast_problem = str(problem)
            return False
        if forecast is None:
            return True
        async with changing(self):
            self._show_forecast(forecast)
        return version is not None and forecast.version < version

    def _show_forecast(self, forecast: Forecast) -> None:
        currency = forecast.expected.currency
        self.forecast_problem = ""
        self.expected = money(forecast.expected.amount, currency)
        self.band = " – ".join(money(b.amount, currency) for b in (forecast.low, forecast.high))
        self.method = forecast_method(forecast)
        self.trust = trust_note(forecast.trust)
        self.on_plans = plan_rows(forecast.plans)
        self.quota_outlooks = [
            quota_outlook(quota, forecast.period.time_zone) for quota in forecast.quotas
        ]
        rows = forecast_rows(forecast)
        self.rows = packed(rows)
        nothing = not any(row["actual"] or row["high"] for row in rows)
        if (spec := spend_spec(forecast.period, currency, nothing=nothing)) != self.spec:
            self.spec = spec
        self.description = forecast_description(forecast)
