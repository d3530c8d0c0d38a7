"""What a catalog may say by mistake: currencies that there are not, meters that nobody has sent.

And limits on models that are not on sale. None is refused: a currency may be newer than the list, a
meter may be priced before the first event has it, and a model may leave the catalog before the
plans that limit it.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from sqlalchemy import ARRAY, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.currencies import ISO_4217
from backend_client.types.catalog import Catalog
from backend_client.types.charges import FlatCharge
from backend_client.types.events import METERS
from backend_client.types.plans import PlanDefinition

_SENT = text(
    """
    SELECT meter FROM unnest(:meters) AS wanted (meter)
    WHERE EXISTS (SELECT FROM daily_rollups WHERE daily_rollups.meter = wanted.meter)
    """
).bindparams(bindparam("meters", type_=ARRAY(Text)))


async def advice_on(connection: AsyncConnection, catalog: Catalog) -> list[str]:
    """Return a sentence about whatever of a catalog may be a mistake."""
    return [
        *(sentence for plan in catalog.plans for sentence in _on_limits(plan, catalog)),
        *(sentence for plan in catalog.plans for sentence in _on_currencies(plan)),
        *await _on_meters(connection, catalog),
    ]


def _on_currencies(plan: PlanDefinition) -> Iterable[str]:
    for currency in (plan.currency, *(prices.currency for prices in plan.price_lists)):
        if currency not in ISO_4217:
            yield f"plan {plan.id}: ISO 4217 has no currency {currency}"


def _on_limits(plan: PlanDefinition, catalog: Catalog) -> Iterable[str]:
    on_sale = {model.id for model in catalog.models}
    limited = dict.fromkeys(name for limits in plan.model_limits for name in limits.models)
    for name in limited:
        if name not in on_sale:
            yield f"plan {plan.id}: limits {name}, which is no model of the catalog"


async def _on_meters(connection: AsyncConnection, catalog: Catalog) -> list[str]:
    defined = {*METERS, *(meter.id for meter in catalog.meters)}
    unknown = [
        (plan.id, meter)
        for plan in catalog.plans
        for meter in _meters(plan)
        if meter not in defined
    ]
    if not unknown:
        return []
    names = sorted({meter for _, meter in unknown})
    sent = set(await connection.scalars(_SENT, {"meters": names}))
    sentences = []
    for plan_id, meter in unknown:
        if meter not in sent:
            alike = get_close_matches(meter, METERS, n=1, cutoff=0.8)
            hint = f"; is {alike[0]} meant?" if alike else ""
            sentences.append(f"plan {plan_id}: no event ever had the meter {meter}{hint}")
    return sentences


def _meters(plan: PlanDefinition) -> list[str]:
    """Return the meters that a plan prices or has quotas of, each once."""
    named = [
        meter
        for charge in plan.charges
        if not isinstance(charge, FlatCharge)
        for meter in charge.meters
    ]
    named += [meter for quota in plan.quotas for meter in quota.meters]
    named += [meter for quota in plan.trial_quotas for meter in quota.meters]
    return list(dict.fromkeys(named))
