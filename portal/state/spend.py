"""The spend page: the period's lines as they would be billed now, and where they lead."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from backend_client import Unavailable
from backend_client.types.spend import Forecast, SpendLine, SpendReport
from backend_client.types.usage import Granularity
from portal.charts.spend import forecast_rows, spend_spec
from portal.formatting import (
    compact,
    count,
    date,
    exact_money,
    meter_name,
    money,
    period,
    unit_price,
)
from portal.session import SPENDERS, Caller, signed_in, still_at
from portal.state.overview import LOOK_SECONDS, etag, forecast_description, start_of_month
from portal.state.page import PageState
from portal.state.session import Session


@dataclass(frozen=True)
class LineRow:
    """A line as the table shows it."""

    name: str
    detail: str
    plan: str
    quantity: str
    included: str
    price: str
    exact: str
    amount: str


@dataclass(frozen=True)
class UnpricedRow:
    """Usage that the plan doesn't price."""

    model: str
    meter: str
    quantity: str


class Spend(PageState, Session):
    """What the period has cost so far, by line."""

    period_name: str = ""
    as_of: str = ""
    total: str = ""
    exact_total: str = ""
    lines: list[LineRow] = []
    unpriced: list[UnpricedRow] = []
    expected: str = ""
    band: str = ""
    method: str = ""
    spec: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    description: str = ""

    @signed_in(roles=SPENDERS, background=True, supersedes=True)
    async def watch(self, caller: Caller) -> None:
        """Load the page, and follow the tenant's usage until the browser leaves it."""
        zone = ZoneInfo(caller.me.tenant.time_zone)
        version: int | None = None
        forecast_due = False
        page = self.router.url.path
        while still_at(self, page):
            try:
                # The cheapest question whose answer changes with every call that is metered
                usage = await caller.client.usage(
                    start=start_of_month(datetime.now(zone)),
                    granularity=Granularity.TOTAL,
                    etag=etag(version),
                )
                if usage is not None:
                    version, forecast_due = usage.version, True
                    spend = await caller.client.spend()
                    async with self:
                        self._show(spend)
                        self._ready()
                if forecast_due and (forecast := await caller.client.forecast()) is not None:
                    forecast_due = False
                    async with self:
                        self._show_forecast(forecast)
            except Unavailable as problem:
                async with self:
                    self._fail(str(problem))
            await asyncio.sleep(LOOK_SECONDS)

    def _show(self, spend: SpendReport) -> None:
        zone = spend.period.time_zone
        self.period_name = period(spend.period.start, spend.period.end, zone)
        self.total = money(spend.total.amount, spend.currency)
        self.exact_total = exact_money(spend.exact_total, spend.currency)
        self.lines = [line_row(line, spend.currency, zone) for line in spend.lines]
        self.unpriced = [
            UnpricedRow(used.model, meter_name(used.meter), count(used.quantity))
            for used in spend.unpriced
        ]

    def _show_forecast(self, forecast: Forecast) -> None:
        currency = forecast.expected.currency
        self.expected = money(forecast.expected.amount, currency)
        self.band = " – ".join(money(b.amount, currency) for b in (forecast.low, forecast.high))
        self.method = forecast_method(forecast)
        if (spec := spend_spec(forecast.period, currency)) != self.spec:
            self.spec = spec
        self.rows = forecast_rows(forecast)
        self.description = forecast_description(forecast)


def line_row(line: SpendLine, currency: str, time_zone: str) -> LineRow:
    """A line as the table shows it; a tiered line says what each tier took."""
    flat = line.kind == "flat"
    return LineRow(
        name=line.name,
        detail=line_detail(line, currency, time_zone),
        plan=f"{line.plan} v{line.plan_version}",
        quantity="" if flat else count(line.quantity),
        included="" if flat or not line.included else count(line.included),
        price="" if line.price is None else line_price(line.price, line, currency),
        exact=exact_money(line.exact, currency),
        amount=money(line.amount.amount, currency),
    )


def line_detail(line: SpendLine, currency: str, time_zone: str) -> str:
    """What a line is for: its days if flat, its tiers if tiered, else its meters and models."""
    if line.kind == "flat":
        return period(line.start, line.end, time_zone)
    if line.tiers:
        return " · ".join(
            f"{compact(tier.quantity)} at {unit_price(tier.price, line.unit_size, currency)}"
            for tier in line.tiers
            if tier.quantity > Decimal(0)
        )
    meters = ", ".join(meter_name(meter) for meter in line.meters)
    return f"{meters} · {', '.join(line.models) if line.models else 'all models'}"


def line_price(price: Decimal, line: SpendLine, currency: str) -> str:
    """A line's price with what it buys; a flat line's is for the period."""
    if line.kind == "flat":
        return f"{money(price, currency)} per month"
    return unit_price(price, line.unit_size, currency)


def forecast_method(forecast: Forecast) -> str:
    """How the forecast was made, in a sentence."""
    when = date(forecast.computed_at, forecast.period.time_zone)
    if forecast.method == "prophet":
        return f"By Prophet, from {forecast.history_days} days of usage. Computed {when}."
    reason = forecast.reason or "there is too little history for more"
    return (
        f"By the period’s run rate: {reason[0].lower()}{reason[1:].rstrip('.')}. Computed {when}."
    )
