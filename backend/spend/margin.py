"""Revenue, cost and margin of each tenant and model, in the tenant's billing period.

Revenue is rated as the bill is, line by line; a line that prices several models is split over them
by their quantities, so that the rows of a tenant sum to its bill to the last digit kept. Cost is
the same usage at the operator's rates or the provider's list prices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Context, Decimal, localcontext

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import list_tenants
from backend.kit.spreadsheets import csv_text, spreadsheet_cell
from backend.metering.reconciliation.names import ModelNames
from backend.metering.reconciliation.rates import Rates, load_rates
from backend.pricing.charges.rate_card import RateCard
from backend.pricing.money import FRACTION_DIGITS
from backend.pricing.rating.rated_period import RatedLine, Stretch
from backend.settings import Settings
from backend.spend.gathering import open_period
from backend.spend.open_period import OpenPeriod
from backend_client.types.accounts import Tenant
from backend_client.types.charges import FlatCharge
from backend_client.types.common import plain
from backend_client.types.reconciliation import MarginReport, MarginRow

NO_MODEL = "*"
"""The model of fees, minimums and discounts, which belong to none."""
_SHARING = Context(prec=60)  # a share may be endless; the line's last model has the rest
_KEPT = Decimal(1).scaleb(-FRACTION_DIGITS)
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
    names = ModelNames({}, settings.upstreams, ())
    providers = {model: up.name for up in reversed(settings.upstreams) for model in up.models}
    page = await list_tenants(connection, cursor=cursor, limit=limit)
    rows: list[MarginRow] = []
    for tenant in page.items:
        if not tenant.is_sample:
            opened = await open_period(connection, tenant, at)
            costs = _Costs(rates, names, providers, tenant.currency)
            # Decimals of a tenant's whole month: short work, but too long for the event loop.
            rows += await asyncio.to_thread(_rows, tenant, opened, costs)
    return MarginReport(
        at=at, cost_currency=rates.currency, rows=rows, next_cursor=page.next_cursor
    )


class _Costs:
    """The cost of a tenant's usage; unknown unless the rates are in its currency."""

    def __init__(
        self, rates: Rates, names: ModelNames, providers: Mapping[str, str], currency: str
    ) -> None:
        self._rates = rates
        self._names = names
        self._providers = providers
        self._comparable = currency == rates.currency

    def of(self, model: str, stretches: Sequence[Stretch]) -> tuple[Decimal | None, list[str]]:
        """Return the cost of a model's usage, None if a rate is missing, and the unrated meters.

        Each stretch has the rates in force on its first day. The meter ``requests`` costs nothing.
        """
        total, unrated = Decimal(0), set()
        for stretch in stretches:
            for used in stretch.usage:
                if used.model != model or used.quantity == 0:
                    continue
                rate = self._rates.unit_cost(
                    stretch.start.date(),
                    model,
                    used.meter,
                    provider=self._providers.get(model),
                    own_name=self._names.own_name(model),
                )
                if rate is not None and self._comparable:
                    total += used.quantity * rate
                elif used.meter != "requests":
                    unrated.add(used.meter)
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
            cost, unrated = costs.of(model, opened.stretches)
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
    *others, last = sorted(quantities)
    shares = {model: (line.exact * quantities[model] / whole).quantize(_KEPT) for model in others}
    return shares | {last: line.exact - sum(shares.values())}


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
