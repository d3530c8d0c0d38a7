"""Bills as they would be: the same rating, with other usage or on other plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.catalog import published as catalog
from backend.metering.queries.rated_usage import period_usage
from backend.pricing.charges.price_lists import in_currency
from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.charges.windows import cut_at_windows
from backend.pricing.credit.plan_credit import paid_by_own_credit
from backend.pricing.money import exact_arithmetic, prorate
from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.rated_period import Stretch
from backend.spend.open_period import OpenPeriod, report
from backend.subscriptions.periods import period_at
from backend_client.types.accounts import Tenant
from backend_client.types.common import Money
from backend_client.types.plans import PlanDefinition
from backend_client.types.simulate import (
    SimulatedPlan,
    Simulation,
    SimulationRequest,
    Workload,
)

_SECOND = timedelta(seconds=1)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Candidate:
    plan: PlanDefinition
    version: int | None


async def simulate(
    connection: AsyncConnection,
    tenant: Tenant,
    asked: SimulationRequest,
    now: datetime,
    *,
    by_operator: bool = False,
) -> Simulation:
    """Return the bills that ``asked`` describes, without what was agreed beside the plans.

    Trials, coupons and contracts are left out, so that plans are compared as they are; of a yearly
    fee each period has a twelfth. The cheapest plan comes first: the one that leaves least to pay
    when the credit that it brings is used. Raises ``NotFound`` for a plan that is not on sale.
    """
    known = await _candidates(connection, asked, by_operator=by_operator)
    candidates, others = [], []
    for one in known:
        try:
            candidates.append(_Candidate(in_currency(one.plan, tenant.currency), one.version))
        except ValueError:
            others.append(one.plan.id)
    if asked.workload is not None:
        periods = await _periods_to_come(connection, tenant, now, asked.workload.periods)
        usage = [
            [
                _described(asked.workload, one.plan, place, period)
                for place, period in enumerate(periods)
            ]
            for one in candidates
        ]
    else:
        periods = await _periods_over(connection, tenant, now, asked.past_periods or 1)
        usage = await _past(connection, tenant, candidates, periods)
    plans = [
        _simulated(tenant, asked, one, periods, used, now)
        for one, used in zip(candidates, usage, strict=True)
    ]
    return Simulation(
        currency=tenant.currency,
        plans=sorted(plans, key=lambda one: (one.to_pay.amount, one.total.amount)),
        other_currency=others,
    )


async def _candidates(
    connection: AsyncConnection, asked: SimulationRequest, *, by_operator: bool
) -> list[_Candidate]:
    if asked.plans is None:
        on_sale = await catalog.list_plans(connection)
        chosen = [one for one in on_sale if by_operator or not one.definition.by_contract]
    else:
        chosen = [await catalog.latest_plan(connection, name) for name in asked.plans]
    return [
        *(_Candidate(one.definition, one.version) for one in chosen),
        *(_Candidate(draft, None) for draft in asked.drafts),
    ]


async def _periods_to_come(
    connection: AsyncConnection, tenant: Tenant, now: datetime, count: int
) -> list[BillingPeriod]:
    """Return the periods that follow the present one: each is whole."""
    found = [await period_at(connection, tenant, now)]
    while len(found) <= count:
        found.append(await period_at(connection, tenant, found[-1].end))
    return found[1:]


async def _periods_over(
    connection: AsyncConnection, tenant: Tenant, now: datetime, count: int
) -> list[BillingPeriod]:
    reached = (await period_at(connection, tenant, now)).start
    found: list[BillingPeriod] = []
    while len(found) < count:
        found.append(await period_at(connection, tenant, reached - _INSTANT))
        reached = found[-1].start
    return found[::-1]


async def _past(
    connection: AsyncConnection,
    tenant: Tenant,
    candidates: Sequence[_Candidate],
    periods: Sequence[BillingPeriod],
) -> list[list[list[MeteredQuantity]]]:
    """Return what was used in each period, once for each plan: its windows tell usage apart."""
    spans = [
        cut_at_windows(one.plan, period.start, period.end)
        for one in candidates
        for period in periods
    ]
    labels = {name for one in candidates for name in one.plan.priced_labels}
    found = await period_usage(connection, tenant.id, spans, labels)
    count = len(periods)
    return [found[place : place + count] for place in range(0, len(found), count)]


def _described(
    workload: Workload, plan: PlanDefinition, place: int, period: BillingPeriod
) -> list[MeteredQuantity]:
    """Return what a workload uses in a period, divided over the plan's windows by their time."""
    whole = sum(workload.models.values(), Decimal(0))
    days = Fraction((period.end - period.start) // _SECOND, 86_400)
    requests = Fraction(workload.requests_per_day) * days
    requests *= (1 + Fraction(workload.growth_percent) / 100) ** place
    shares: dict[str | None, Fraction] = {}
    for span in cut_at_windows(plan, period.start, period.end):
        before = shares.get(span.window, Fraction(0))
        shares[span.window] = before + period.share(span.start, span.end)
    meters = {"requests": Decimal(1)} | workload.per_request
    with exact_arithmetic():
        return [
            MeteredQuantity(
                model,
                meter,
                prorate(each, requests * Fraction(part) / Fraction(whole) * share),
                window,
            )
            for model, part in workload.models.items()
            for meter, each in meters.items()
            for window, share in shares.items()
        ]


def _simulated(
    tenant: Tenant,
    asked: SimulationRequest,
    one: _Candidate,
    periods: Sequence[BillingPeriod],
    usage: Sequence[Sequence[MeteredQuantity]],
    now: datetime,
) -> SimulatedPlan:
    reports = []
    for period, used in zip(periods, usage, strict=True):
        stretch = Stretch(
            one.plan,
            one.version or 0,
            period.start,
            period.end,
            used,
            seats=asked.seats,
            add_ons=asked.add_ons,
        )
        opened = OpenPeriod(period, tenant.currency, (stretch,), 0)
        reports.append(report(opened, opened.rate(), now))
    amounts = [told.total.amount for told in reports]
    credit = paid_by_own_credit(one.plan, list(zip(periods, amounts, strict=True)))
    with exact_arithmetic():
        total, paid = sum(amounts, Decimal(0)), sum(credit, Decimal(0))
        return SimulatedPlan(
            plan=one.plan.id,
            plan_version=one.version,
            name=one.plan.name,
            periods=reports,
            total=Money(amount=total, currency=tenant.currency),
            credit=Money(amount=paid, currency=tenant.currency),
            to_pay=Money(amount=total - paid, currency=tenant.currency),
        )
