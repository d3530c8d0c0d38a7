"""Revenue, cost and margin of each tenant and model, in the tenant's billing period.

Revenue is rated as the bill is, line by line; a line that prices several models is split over them
by their quantities, so that the rows of a tenant sum to its bill to the last digit kept. Cost is
the same usage at the operator's rates or the list prices of the provider that served it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Context, Decimal, localcontext

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import list_tenants
from backend.kit.spreadsheets import csv_text, spreadsheet_cell
from backend.metering.queries.rated_usage import upstream_usage
from backend.metering.reconciliation.names import ModelNames
from backend.metering.reconciliation.rates import Rates, load_rates
from backend.pricing.charges.rate_card import RateCard
from backend.pricing.rating.rated_period import RatedLine, Stretch
from backend.settings import Settings, Upstream
from backend.spend.gathering import open_period
from backend.spend.open_period import OpenPeriod
from backend.spend.sharing import shared
from backend_client.types.accounts import Tenant
from backend_client.types.charges import FlatCharge
from backend_client.types.common import plain
from backend_client.types.reconciliation import MarginReport, MarginRow

NO_MODEL = "*"
"""The model of fees, minimums and discounts, which belong to none."""
_SHARING = Context(prec=60)  # a share may be endless; the line's last model has the rest
_RATIO = Decimal("0.0001")
_COLUMNS = (
    *("tenant", "model", "start", "end", "currency", "revenue", "cost", "margin"),
    *("margin_ratio", "unrated"),
)


async def margin_report(
    connection: AsyncConnection,
    settings: Settings,
    at: datetime,
    *,
    cursor: str | None,
    limit: int,
) -> MarginReport:
    """Return the margin of up to ``limit`` tenants; sample tenants are left out.

    Raises ``ConfigurationError`` if the cost rates can't be used.
    """
    rates = await asyncio.to_thread(load_rates, settings.cost_rates)
    costs_of_units = _UnitCosts(rates, settings.upstreams)
    page = await list_tenants(connection, cursor=cursor, limit=limit)
    rows: list[MarginRow] = []
    for tenant in page.items:
        if not tenant.is_sample:
            opened = await open_period(connection, tenant, at)
            times = [(stretch.start, stretch.end) for stretch in opened.stretches]
            served = await upstream_usage(connection, tenant.id, times)
            comparable = tenant.currency == rates.currency
            costs = _Costs(costs_of_units, opened.stretches, served, comparable=comparable)
            # Decimals of a tenant's whole month: short work, but too long for the event loop.
            rows += await asyncio.to_thread(_rows, tenant, opened, costs)
    return MarginReport(
        at=at, cost_currency=rates.currency, rows=rows, next_cursor=page.next_cursor
    )


class _UnitCosts:
    """What a unit costs with the upstream that served it, or else with the first configured."""

    def __init__(self, rates: Rates, upstreams: Sequence[Upstream]) -> None:
        self._rates = rates
        self._names = ModelNames({}, upstreams, ())
        self._first = {model: up.name for up in reversed(upstreams) for model in up.models}
        self._own = {(up.name, sold): own for up in upstreams for sold, own in up.models.items()}

    def of(self, day: date, model: str, meter: str, upstream: str) -> Decimal | None:
        """Return the cost of a unit on a day; None if it is unknown."""
        provider = upstream or self._first.get(model)
        own = self._own.get((provider or "", model))
        names = self._names.own_names(model)
        return self._rates.unit_cost(
            day,
            model,
            meter,
            provider=provider,
            own_names=names if own is None else (own, *names),
        )


class _Costs:
    """The cost of a tenant's usage; unknown unless the rates are in its currency.

    ``served`` is the usage in each stretch by model, meter and upstream.
    """

    def __init__(
        self,
        units: _UnitCosts,
        stretches: Sequence[Stretch],
        served: Sequence[Mapping[tuple[str, str, str], Decimal]],
        *,
        comparable: bool,
    ) -> None:
        self._units = units
        self._served = list(zip(stretches, served, strict=True))
        self._comparable = comparable

    def of(self, model: str) -> tuple[Decimal | None, list[str]]:
        """Return the cost of a model's usage, None if a rate is missing, and the unrated meters.

        Each stretch has the rates in force on its first day. The meter ``requests`` costs nothing.
        """
        total, unrated = Decimal(0), set()
        for stretch, served in self._served:
            for (used_model, meter, upstream), quantity in served.items():
                if used_model != model or quantity == 0:
                    continue
                rate = self._units.of(stretch.start.date(), model, meter, upstream)
                if rate is not None and self._comparable:
                    total += quantity * rate
                elif meter != "requests":
                    unrated.add(meter)
        return (None if unrated else total), sorted(unrated)


def _rows(tenant: Tenant, opened: OpenPeriod, costs: _Costs) -> list[MarginRow]:
    rated = opened.rate()
    revenue: dict[str, Decimal] = {}
    with localcontext(_SHARING):
        for line in rated.lines:
            for model, part in _split(line, opened.stretches).items():
                revenue[model] = revenue.get(model, Decimal(0)) + part
        for adjustment in rated.adjustments:
            revenue[NO_MODEL] = revenue.get(NO_MODEL, Decimal(0)) + adjustment.exact
        used = {used.model for stretch in opened.stretches for used in stretch.usage}
        rows = []
        for model in sorted(used | revenue.keys()):
            brought = revenue.get(model, Decimal(0))
            cost, unrated = costs.of(model)
            margin = None if cost is None else brought - cost
            ratio = None if margin is None or not brought else (margin / brought).quantize(_RATIO)
            rows.append(
                MarginRow(
                    tenant=tenant.slug,
                    model=model,
                    start=opened.period.start,
                    end=opened.period.end,
                    currency=tenant.currency,
                    revenue=brought,
                    cost=cost,
                    margin=margin,
                    margin_ratio=ratio,
                    unrated=unrated,
                )
            )
    return rows


def _split(line: RatedLine, stretches: Sequence[Stretch]) -> dict[str, Decimal]:
    """Split a line over the models that it prices, by their quantities."""
    if isinstance(line.charge, FlatCharge):
        return {NO_MODEL: line.exact}
    quantities: dict[str, Decimal] = {}
    for stretch in stretches:
        if stretch.plan is None or (stretch.plan.id, stretch.plan_version) != (
            line.plan,
            line.plan_version,
        ):
            continue
        card = RateCard(stretch.plan)
        for used in stretch.usage:
            charge = card.charge_for(used.model, used.meter, used.window, used.labels)
            if charge is not None and charge.id == line.charge.id and used.quantity:
                before = quantities.get(used.model, Decimal(0))
                quantities[used.model] = before + used.quantity
    whole = sum(quantities.values())
    if not whole:
        return {NO_MODEL: line.exact}
    return shared(line.exact, quantities)


def margin_csv(rows: Sequence[MarginRow]) -> str:
    """Return rows as CSV (RFC 4180), amounts in full."""
    return csv_text(_COLUMNS, map(_cells, rows))


def _cells(row: MarginRow) -> list[object]:
    amounts = (row.revenue, row.cost, row.margin, row.margin_ratio)
    return [
        spreadsheet_cell(row.tenant),
        spreadsheet_cell(row.model),
        row.start.isoformat(),
        row.end.isoformat(),
        row.currency,
        *("" if amount is None else plain(amount) for amount in amounts),
        " ".join(row.unrated),
    ]
