"""How a model performed, hour by hour, and what limits its calls, as its page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from backend_client.types.entitlements import Entitlements
from backend_client.types.limits import RateLimits
from backend_client.types.models import ModelPerformance
from portal.kit.facts import FactRow
from portal.kit.formatting import compact, count, date, meters_name

HOURS = 24
_TALLEST = 100
_SHORTEST = 6
_FAILING = 0.05


@dataclass(frozen=True)
class HourBar:
    """An hour: how tall its bar is, in percent, how it stands out, and what it says."""

    height: int
    look: str
    text: str


def hour_bars(performance: ModelPerformance | None, now: datetime, time_zone: str) -> list[HourBar]:
    """Return a bar for each of the last hours: as tall as half of the calls took."""
    by_hour = {hour.start: hour for hour in performance.hours} if performance else {}
    slowest = max((hour.total_p50 or 0.0 for hour in by_hour.values()), default=0.0)
    last = now.replace(minute=0, second=0, microsecond=0)
    bars = []
    for ago in range(HOURS - 1, -1, -1):
        start = last - timedelta(hours=ago)
        clock = f"{start.astimezone(ZoneInfo(time_zone)):%H:%M}"
        hour = by_hour.get(start)
        if hour is None:
            bars.append(HourBar(_SHORTEST, "none", f"{clock}: no calls"))
            continue
        share = (hour.total_p50 or 0.0) / slowest if slowest else 0.0
        took = "no answers" if hour.total_p50 is None else f"{hour.total_p50:.2f} s"
        look = "bad" if hour.error_rate > _FAILING else "good"
        bars.append(
            HourBar(
                height=max(_SHORTEST, round(share * _TALLEST)),
                look=look,
                text=f"{clock}: {took}, {hour.error_rate:.1%} errors",
            )
        )
    return bars


def limit_rows(entitlements: Entitlements | None, time_zone: str, model: str) -> list[FactRow]:
    """Return the limits that hold a model's calls, and what is left of the tenant's quotas."""
    if entitlements is None:
        return []
    rows = _rate_rows(entitlements.limits, "")
    for each in entitlements.model_limits:
        if model in each.models:
            others = [name for name in each.models if name != model]
            with_it = f", with {' and '.join(others)}" if others else ", of this model"
            rows += _rate_rows(each.limits, with_it)
    rows += [
        FactRow(
            f"{meters_name(quota.meters)} {'on trial' if quota.of_trial else 'a month'}",
            f"{compact(quota.remaining)} of {compact(quota.quantity)} left, until "
            f"{date(quota.resets_at, time_zone)}",
        )
        for quota in entitlements.quotas
    ]
    return rows


def _rate_rows(limits: RateLimits, of: str) -> list[FactRow]:
    rates = (
        ("Requests a minute", limits.requests_per_minute),
        ("Tokens a minute", limits.tokens_per_minute),
        ("Requests at a time", limits.concurrent_requests),
    )
    return [FactRow(f"{name}{of}", count(most)) for name, most in rates if most is not None]
