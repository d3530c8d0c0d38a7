"""Simulated bills for strangers: a described workload on the plans that anybody may choose."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.catalog import published as catalog
from backend.pricing.periods import BillingPeriod, billing_period
from backend.spend.errors import NotForStrangers
from backend.spend.simulation import Candidate, compared
from backend_client.types.simulate import Simulation, SimulationRequest


async def simulate_publicly(
    connection: AsyncConnection,
    asked: SimulationRequest,
    now: datetime,
    *,
    currency: str,
    time_zone: str,
) -> Simulation:
    """Return the bills of a workload on the public plans on sale, from the next month on.

    Raises ``NotForStrangers`` for a tenant's past, for drafts, and for plans by contract or not on
    sale.
    """
    if asked.workload is None or asked.drafts:
        raise NotForStrangers("Describe a workload; drafts are the seller's.")
    public = {
        plan.definition.id: Candidate(plan.definition, plan.version)
        for plan in await catalog.list_plans(connection)
        if not plan.definition.by_contract
    }
    names = list(public) if asked.plans is None else asked.plans
    if missing := [name for name in names if name not in public]:
        raise NotForStrangers(f"No public plan is called {missing[0]!r}.")
    periods = _months_to_come(now, time_zone, asked.workload.periods)
    return compared(currency, [public[name] for name in names], periods, asked, now)


def _months_to_come(now: datetime, time_zone: str, count: int) -> list[BillingPeriod]:
    periods = [billing_period(now, time_zone)]
    while len(periods) <= count:
        periods.append(billing_period(periods[-1].end, time_zone))
    return periods[1:]
