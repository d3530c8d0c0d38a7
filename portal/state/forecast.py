"""Where spend is heading: the forecast's figures and chart, for the pages that show it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import reflex as rx

from backend_client import ClientError, Unauthenticated
from backend_client.types.spend import Forecast
from portal.charts.spend import forecast_rows, spend_spec
from portal.formatting import date, money
from portal.session import Caller, changing


class ForecastState(rx.State, mixin=True):
    """``forecast_problem`` is why there is none; the page beside it goes on without."""

    expected: str = ""
    band: str = ""
    method: str = ""
    forecast_problem: str = ""
    spec: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    description: str = ""

    async def _look_ahead(self, caller: Caller, version: int | None) -> bool:
        """Show the forecast; tell whether one that knows usage ``version`` is still to come.

        Raises:
            Unauthenticated: the session has ended.
        """
        try:
            forecast = await caller.client.forecast()
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
        if (spec := spend_spec(forecast.period, currency)) != self.spec:
            self.spec = spec
        self.rows = forecast_rows(forecast)
        self.description = forecast_description(forecast)


def forecast_method(forecast: Forecast) -> str:
    """How the forecast was made, in a sentence."""
    when = date(forecast.computed_at, forecast.period.time_zone)
    if forecast.method == "prophet":
        return f"By Prophet, from {forecast.history_days} days of usage. Computed {when}."
    reason = forecast.reason or "there is too little history for more"
    return (
        f"By the period’s run rate: {reason[0].lower()}{reason[1:].rstrip('.')}. Computed {when}."
    )


def forecast_description(forecast: Forecast) -> str:
    """What a screen reader says of the forecast's chart."""
    currency = forecast.expected.currency
    expected, low, high = (
        money(bound.amount, currency) for bound in (forecast.expected, forecast.low, forecast.high)
    )
    spent = [day.actual for day in forecast.days if day.actual is not None]
    so_far = money(spent[-1], currency) if spent else money(Decimal(0), currency)
    return (
        f"Cumulative spend in the period: {so_far} so far; {expected} expected by its end, "
        f"between {low} and {high} in 80% of the simulated outcomes."
    )
