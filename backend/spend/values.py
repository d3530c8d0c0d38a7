"""What periods have of meters that are not summed, as usage that plans can price."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.metering.queries.values import values_over
from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.rated_period import Stretch
from backend.pricing.rating.shared_values import shared_out
from backend_client.types.charges import FlatCharge
from backend_client.types.events import METERS
from backend_client.types.plans import PlanDefinition

_NO_MODEL = ""
"""Such a value is of all models together."""


async def stretch_values(
    connection: AsyncConnection, tenant_id: str, stretches: Sequence[Stretch]
) -> list[list[MeteredQuantity]]:
    """Return the part that each stretch has in the values of the time in which there was a plan."""
    parts: list[list[MeteredQuantity]] = [[] for _ in stretches]
    covered = [place for place, stretch in enumerate(stretches) if stretch.plan is not None]
    meters = {meter for place in covered for meter in _declared(stretches[place].plan)}
    if not meters:
        return parts
    times = [(stretches[place].start, stretches[place].end) for place in covered]
    (values,) = await values_over(connection, tenant_id, meters, [times])
    for meter, value in sorted(values.items()):
        for place, part in zip(covered, shared_out(value, times), strict=True):
            parts[place].append(MeteredQuantity(_NO_MODEL, meter, part))
    return parts


async def plan_values(
    connection: AsyncConnection,
    tenant_id: str,
    plans: Sequence[PlanDefinition],
    periods: Sequence[BillingPeriod],
) -> list[list[list[MeteredQuantity]]]:
    """Return each plan's values in each period, as if it was had for all of it."""
    meters = {meter for plan in plans for meter in _declared(plan)}
    times = [[(period.start, period.end)] for period in periods]
    values = await values_over(connection, tenant_id, meters, times)
    return [
        [
            [
                MeteredQuantity(_NO_MODEL, meter, value)
                for meter, value in sorted(own.items())
                if meter in _declared(plan)
            ]
            for own in values
        ]
        for plan in plans
    ]


def _declared(plan: PlanDefinition | None) -> set[str]:
    """Return the meters that a plan prices and that may be declared: all but Farebox's own."""
    if plan is None:
        return set()
    return {
        meter
        for charge in plan.charges
        if not isinstance(charge, FlatCharge)
        for meter in charge.meters
    }.difference(METERS)
