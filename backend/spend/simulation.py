"""Simulated bills: the same rating, with other usage or on other plans."""

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
from backend.pricing.periods import INSTANT, BillingPeriod
from backend.pricing.rating.rated_period import Stretch
from backend.spend.open_period import OpenPeriod
from backend.spend.report import report
from backend.spend.values import plan_values
from backend.subscriptions.periods import period_at
from backend.subscriptions.queries import plans_offered
from backend_client.types.accounts import Tenant
from backend_client.types.common import Money
from backend_client.types.plan_terms import QuotaLimit
from backend_client.types.plans import PlanDefinition
from backend_client.types.simulate import (
    SimulatedPlan,
    Simulation,
    SimulationRequest,
    Workload,
)
from backend_client.types.spend import SpendReport

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan to compare, and its version; None for a draft."""

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
    """Return the bills that ``asked`` describes, without trials, coupons and contracts.

    So plans are compared as they are; each period has a twelfth of a yearly fee. The cheapest plan
    that can carry the usage comes first: the one that leaves least to pay once the credit that it
    brings is used. Raises ``NotFound`` for a plan that is not on sale.
    """
    wanted = await _candidates(connection, tenant, asked, now, by_operator=by_operator)
    if asked.workload is not None:
        periods = await _periods_to_come(connection, tenant, now, asked.workload.periods)
        return compared(tenant.currency, wanted, periods, asked, now)
    candidates, others = _priced_in(tenant.currency, wanted)
    periods = await _periods_over(connection, tenant, now, asked.past_periods or 1)
    usage = await _past(connection, tenant, candidates, periods)
    return _simulation(tenant.currency, candidates, others, periods, usage, asked, now)


def compared(
    currency: str,
    wanted: Sequence[Candidate],
    periods: Sequence[BillingPeriod],
    asked: SimulationRequest,
    now: datetime,
) -> Simulation:
    """Return what the workload that is ``asked`` about costs in ``periods`` on each plan.

    Does no I/O. Raises ``ValueError`` without a workload.
    """
    if asked.workload is None:
        raise ValueError("there is no workload")
    candidates, others = _priced_in(currency, wanted)
    usage = [
        [
            _described(asked.workload, candidate.plan, place, period)
            for place, period in enumerate(periods)
        ]
        for candidate in candidates
    ]
    return _simulation(currency, candidates, others, periods, usage, asked, now)


def _priced_in(currency: str, wanted: Sequence[Candidate]) -> tuple[list[Candidate], list[str]]:
    """Return the plans with their prices in a currency, and the ids of those without any."""
    candidates, others = [], []
    for candidate in wanted:
        try:
            candidates.append(Candidate(in_currency(candidate.plan, currency), candidate.version))
        except ValueError:
            others.append(candidate.plan.id)
    return candidates, others


def _simulation(
    currency: str,
    candidates: Sequence[Candidate],
    others: list[str],
    periods: Sequence[BillingPeriod],
    usage: Sequence[Sequence[Sequence[MeteredQuantity]]],
    asked: SimulationRequest,
    now: datetime,
) -> Simulation:
    plans = [
        _simulated(currency, asked, candidate, periods, used, now)
        for candidate, used in zip(candidates, usage, strict=True)
    ]
    return Simulation(
        currency=currency,
        plans=sorted(
            plans, key=lambda plan: (not plan.fits, plan.to_pay.amount, plan.total.amount)
        ),
        other_currency=others,
    )


async def _candidates(
    connection: AsyncConnection,
    tenant: Tenant,
    asked: SimulationRequest,
    now: datetime,
    *,
    by_operator: bool,
) -> list[Candidate]:
    if asked.plans is None:
        on_sale = await plans_offered(connection, tenant.id, now)
        chosen = [plan for plan in on_sale if by_operator or not plan.definition.by_contract]
    else:
        chosen = [await catalog.latest_plan(connection, name) for name in asked.plans]
    return [
        *(Candidate(plan.definition, plan.version) for plan in chosen),
        *(Candidate(draft, None) for draft in asked.drafts),
    ]


async def _periods_to_come(
    connection: AsyncConnection, tenant: Tenant, now: datetime, count: int
) -> list[BillingPeriod]:
    """Return the periods that follow the present one."""
    periods = [await period_at(connection, tenant, now)]
    while len(periods) <= count:
        periods.append(await period_at(connection, tenant, periods[-1].end))
    return periods[1:]


async def _periods_over(
    connection: AsyncConnection, tenant: Tenant, now: datetime, count: int
) -> list[BillingPeriod]:
    reached = (await period_at(connection, tenant, now)).start
    periods: list[BillingPeriod] = []
    while len(periods) < count:
        periods.append(await period_at(connection, tenant, reached - INSTANT))
        reached = periods[-1].start
    return periods[::-1]


async def _past(
    connection: AsyncConnection,
    tenant: Tenant,
    candidates: Sequence[Candidate],
    periods: Sequence[BillingPeriod],
) -> list[list[list[MeteredQuantity]]]:
    """Return the usage of each period, for each plan by its windows and labels."""
    times = [
        cut_at_windows(candidate.plan, period.start, period.end)
        for candidate in candidates
        for period in periods
    ]
    labels = {name for candidate in candidates for name in candidate.plan.priced_labels}
    usage = await period_usage(connection, tenant.id, times, labels)
    plans = [candidate.plan for candidate in candidates]
    values = await plan_values(connection, tenant.id, plans, periods)
    count = len(periods)
    for place, used in enumerate(usage):
        used += values[place // count][place % count]
    return [usage[place : place + count] for place in range(0, len(usage), count)]


def _described(
    workload: Workload, plan: PlanDefinition, place: int, period: BillingPeriod
) -> list[MeteredQuantity]:
    """Return a workload's usage in a period, divided over the plan's windows by their duration."""
    whole = sum(workload.models.values(), Decimal(0))
    days = Fraction((period.end - period.start) // _SECOND, 86_400)
    requests = Fraction(workload.requests_per_day) * days
    requests *= (1 + Fraction(workload.growth_percent) / 100) ** place
    shares: dict[str | None, Fraction] = {}
    for windowed in cut_at_windows(plan, period.start, period.end):
        before = shares.get(windowed.window, Fraction(0))
        shares[windowed.window] = before + period.share(windowed.start, windowed.end)
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
    currency: str,
    asked: SimulationRequest,
    candidate: Candidate,
    periods: Sequence[BillingPeriod],
    usage: Sequence[Sequence[MeteredQuantity]],
    now: datetime,
) -> SimulatedPlan:
    reports = []
    for period, used in zip(periods, usage, strict=True):
        stretch = Stretch(
            candidate.plan,
            candidate.version or 0,
            period.start,
            period.end,
            used,
            seats=asked.seats,
            add_ons=asked.add_ons,
        )
        opened = OpenPeriod(period, currency, (stretch,), 0)
        reports.append(report(opened, opened.rate(), now))
    amounts = [simulated.total.amount for simulated in reports]
    credit = paid_by_own_credit(candidate.plan, list(zip(periods, amounts, strict=True)))
    reasons = [
        _why_it_stops(candidate.plan, used) or _why_it_misses(simulated)
        for used, simulated in zip(usage, reports, strict=True)
    ]
    carried = next((place for place, why in enumerate(reasons) if why), len(reasons))
    reason = next(filter(None, reasons), None)
    with exact_arithmetic():
        total, paid = sum(amounts, Decimal(0)), sum(credit, Decimal(0))
        return SimulatedPlan(
            plan=candidate.plan.id,
            plan_version=candidate.version,
            name=candidate.plan.name,
            periods=reports,
            total=Money(amount=total, currency=currency),
            credit=Money(amount=paid, currency=currency),
            to_pay=Money(amount=total - paid, currency=currency),
            fits=reason is None,
            reason=reason,
            periods_carried=carried,
        )


def _why_it_misses(simulated: SpendReport) -> str | None:
    """Say that the bill leaves usage out. Requests alone are counted, and seldom priced."""
    misses = any(
        unpriced.meter != "requests" or not simulated.lines for unpriced in simulated.unpriced
    )
    return "It has no price for some of the usage." if misses else None


def _why_it_stops(plan: PlanDefinition, used: Sequence[MeteredQuantity]) -> str | None:
    """Say why calls on the plan would be refused before all of a period's usage was through."""
    left_out = sorted(
        {part.model for part in used if part.quantity and not plan.allows(part.model)}
    )
    if left_out:
        return f"It does not include {', '.join(left_out)}."
    for quota in plan.quotas:
        if quota.limit is not QuotaLimit.HARD:
            continue
        with exact_arithmetic():
            needed = sum((part.quantity for part in used if part.meter in quota.meters), Decimal(0))
        if needed > quota.quantity:
            meters = [meter.replace("_", " ") for meter in quota.meters]
            of = " and ".join(part for part in (", ".join(meters[:-1]), meters[-1]) if part)
            return (
                f"Its quota of {quota.quantity:,f} {of} a period is less than the "
                f"{needed:,.0f} used."
            )
    return None
