"""What the period's usage would cost on each plan on sale. Pure."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from backend.forecasting.crossing import EARLY
from backend.forecasting.futures import Futures
from backend.forecasting.inputs import Candidate, ForecastJob
from backend.forecasting.quotas import used_so_far
from backend.forecasting.rated_paths import divided, quantile
from backend.pricing.credit.plan_credit import paid_by_own_credit
from backend.pricing.rating.rated_period import Stretch, rate
from backend_client.types.common import Money
from backend_client.types.plan_terms import QuotaLimit
from backend_client.types.plans import PlanDefinition
from backend_client.types.spend import PlanOutlook


def plan_outlooks(job: ForecastJob, futures: Futures) -> list[PlanOutlook]:
    """Return what the whole period would cost on each plan, the cheapest that fits first.

    Each is rated as if the period had begun on the plan, so that they compare even after changes.
    It has a twelfth of a yearly fee, and is reduced by the credit that the plan brings.
    """
    current = job.opened.stretches[job.place_now].plan
    outlooks = [_outlook(candidate, job, futures, current) for candidate in job.candidates]
    return sorted(
        outlooks, key=lambda outlook: (not outlook.fits, _to_pay(outlook), not outlook.current)
    )


def _to_pay(outlook: PlanOutlook) -> Decimal:
    return outlook.expected.amount - (outlook.credit.amount if outlook.credit else 0)


def _outlook(
    candidate: Candidate, job: ForecastJob, futures: Futures, current: PlanDefinition | None
) -> PlanOutlook:
    definition, period = candidate.plan.definition, job.opened.period
    more = {series: paths.sum(axis=1) for series, paths in futures.usage.items()}
    totals = []
    unpriced = False
    for path in range(job.paths if more else 1):
        usage = [
            *candidate.usage,
            *(
                kind
                for series, quantities in more.items()
                for kind in divided(series, float(quantities[path]), candidate.mix)
            ),
        ]
        stretch = Stretch(definition, candidate.plan.version, period.start, period.end, usage)
        rated = rate([stretch], period, job.opened.currency)
        unpriced = unpriced or bool(rated.unpriced)
        totals.append(rated.total)
    totals.sort()
    expected = quantile(totals, 0.5)
    # Credit that comes once is no reason to stay
    every_period = [grant for grant in definition.grants if grant.recurs]
    own = definition.model_copy(update={"grants": every_period})
    [credit] = paid_by_own_credit(own, [(period, expected)])
    reason = _stopped_by_quota(definition, job, futures)
    if reason is None and unpriced:
        reason = "It has no price for some of what you use."
    return PlanOutlook(
        plan=definition.id,
        name=definition.name,
        plan_version=candidate.plan.version,
        current=current is not None and current.id == definition.id,
        expected=Money(amount=expected, currency=job.opened.currency),
        low=Money(amount=quantile(totals, 0.1), currency=job.opened.currency),
        high=Money(amount=quantile(totals, 0.9), currency=job.opened.currency),
        credit=Money(amount=credit, currency=job.opened.currency),
        fits=reason is None,
        reason=reason,
    )


def _stopped_by_quota(plan: PlanDefinition, job: ForecastJob, futures: Futures) -> str | None:
    """Return why the plan does not fit the usage, if a hard quota is likely to end first."""
    for quota in plan.quotas:
        if quota.limit is not QuotaLimit.HARD:
            continue
        more = np.zeros(job.paths)
        for (_, meter), paths in futures.usage.items():
            if meter in quota.meters:
                more += paths.sum(axis=1)
        room = quota.quantity - used_so_far(job, quota.meters)
        chance = float(np.mean(more > float(max(room, Decimal(0)))))
        if room < 0 or chance >= EARLY:
            return f"Its quota of {quota.quantity:,f} may not last: the chance is {chance:.0%}."
    return None
