"""What a forecast says, in words and rows. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from backend_client.types.plan_terms import QuotaLimit
from backend_client.types.spend import Forecast, PlanOutlook, QuotaOutlook, Trust
from portal.kit.formatting import date, money

SURE, UNLIKELY = 0.995, 0.005


@dataclass(frozen=True)
class PlanRow:
    """What the period would cost on a plan; ``note``: why it won't fit, or what its credit pays."""

    name: str
    expected: str
    band: str
    note: str
    current: bool
    fits: bool
    cheapest: bool


def forecast_method(forecast: Forecast) -> str:
    """How the forecast was made, in a sentence."""
    when = f"Computed {date(forecast.computed_at, forecast.period.time_zone)}."
    if forecast.demand is not None:
        demand = money(forecast.demand.amount, forecast.demand.currency)
        when = f"Without the refusals of the plan’s quotas it would be {demand}. {when}"
    if forecast.method == "prophet":
        days = f"By Prophet, from {forecast.history_days} days of usage"
        return f"{days}{odd_days_note(forecast)}. {when}"
    reason = forecast.reason or "there is too little history for more"
    return f"By the period’s run rate: {reason[0].lower()}{reason[1:].rstrip('.')}. {when}"


def odd_days_note(forecast: Forecast) -> str:
    """Which days were left out as odd, the last three by name; nothing if none were."""
    days = sorted({odd.day for odd in forecast.odd_days})
    if not days:
        return ""
    names = [date(day, forecast.period.time_zone) for day in days[-3:]]
    more = f" and {len(days) - 3} more" if len(days) > 3 else ""
    return f" without the unusual {', '.join(names)}{more}"


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


def trust_note(trust: Trust | None) -> str:
    """How well such forecasts did on days past; nothing while that is not known."""
    if trust is None:
        return ""
    naive = f", where repeating the last week was {percent(trust.naive_error)} off"
    return (
        f"Tried on {trust.trials} past days, {trust.horizon_days} days ahead each: "
        f"{percent(trust.coverage)} of days fell in the band, and the end was "
        f"{percent(trust.error)} off on average{naive}."
    )


def quota_outlook(outlook: QuotaOutlook, time_zone: str) -> str:
    """Whether a quota lasts the period, in a sentence."""
    end = "calls will be refused" if outlook.limit is QuotaLimit.HARD else "it will be passed"
    if outlook.used >= outlook.quantity:
        hard = outlook.limit is QuotaLimit.HARD
        return "It is used up; calls are refused." if hard else "It is passed; calls go on."
    if outlook.chance < UNLIKELY:
        return "As things go, it lasts the period."
    when = outlook.likely or outlook.early
    on = f", likely on {date(when, time_zone)}" if when and outlook.likely else ""
    if when and not outlook.likely:
        on = f", at the earliest about {date(when, time_zone)}"
    if outlook.chance > SURE:
        return f"As things go, {end}{on}."
    return f"A chance of {percent(outlook.chance)} that {end}{on}."


def _credit_note(plan: PlanOutlook) -> str:
    if plan.credit is None or not plan.credit.amount:
        return ""
    return f"{money(plan.credit.amount, plan.credit.currency)} of it is paid by the plan's credit."


def plan_rows(plans: list[PlanOutlook]) -> list[PlanRow]:
    """The plans as a table shows them: those that fit first, and the cheapest of them marked."""
    cheapest = next((plan.plan for plan in plans if plan.fits), None)
    return [
        PlanRow(
            name=plan.name,
            expected=money(plan.expected.amount, plan.expected.currency),
            band=" – ".join(money(b.amount, b.currency) for b in (plan.low, plan.high)),
            note=(plan.reason or "") if not plan.fits else _credit_note(plan),
            current=plan.current,
            fits=plan.fits,
            cheapest=plan.plan == cheapest,
        )
        for plan in plans
    ]


def percent(share: float) -> str:
    """A share of 1 as a percentage: ``9%``, ``0.4%``; never 0% or 100% for what is neither."""
    value = share * 100
    if 0 < value < 1 or 99 < value < 100:
        return f"{min(99.9, max(0.1, round(value, 1))):g}%"
    return f"{round(value)}%"
