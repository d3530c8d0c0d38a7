"""How quotas burn down: what was used by when, and when all will be. Plain functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt

from backend_client.types.entitlements import QuotaStanding
from backend_client.types.plan_terms import QuotaLimit
from backend_client.types.usage import UsageRow
from portal.kit.chart_look import ROWS, SHORT_NUMBER, finish, wall_clock, wall_clock_ms
from portal.kit.formatting import count, date

QUOTA_HEIGHT = 180
PACE_DAYS = 7
"""A quota is taken to be used on as in the last days."""


@dataclass(frozen=True)
class BurnDown:
    """A quota over its period. ``ends`` is when it is used up at the pace of late, if before the
    period is over; ``pace`` is that pace in units a day."""

    rows: list[dict[str, Any]]
    pace: Decimal
    ends: datetime | None


def burn_down(
    quota: QuotaStanding,
    usage: Iterable[UsageRow],
    *,
    start: datetime,
    now: datetime,
    time_zone: str,
) -> BurnDown:
    """What was used of a quota by each day's end since the period's ``start``, and what will be.

    ``usage`` is that of the period by day and meter.
    """
    zone = ZoneInfo(time_zone)
    by_day: dict[datetime, Decimal] = {}
    for line in usage:
        if line.meter in quota.meters:
            day = _day(line.start, zone)
            by_day[day] = by_day.get(day, Decimal(0)) + line.quantity
    pace = _pace(by_day, start, now, zone)
    left = quota.quantity - quota.used
    ends: datetime | None = None
    if left <= 0:
        ends = now
    elif pace > 0 and now + _days(left / pace) < quota.resets_at:
        ends = now + _days(left / pace)
    rows: list[dict[str, Any]] = []
    used, day = Decimal(0), _day(start, zone)
    rows.append(_row(start, zone, used=Decimal(0)))
    while day <= now:
        used += by_day.get(day, Decimal(0))
        day = _day(day + timedelta(hours=36), zone)
        # The last is what the API says: it may know more than the sums by day
        over = day > now
        rows.append(_row(min(day, now), zone, used=quota.used if over else used))
    rows[-1] |= {"expected": rows[-1]["used"]}
    last = quota.used + pace * Decimal(str(max((quota.resets_at - now).total_seconds(), 0) / 86400))
    rows.append(_row(quota.resets_at, zone, expected=last))
    for row in rows:
        row["limit"] = float(quota.quantity)
    return BurnDown(rows, pace, ends)


def burn_down_spec(
    quota: QuotaStanding, drawn: BurnDown, *, start: datetime, time_zone: str
) -> dict[str, Any]:
    """The chart's Vega-Lite spec: what was used, what will be, and the limit."""
    zone = ZoneInfo(time_zone)
    scale = alt.Scale(
        type="utc",
        domainMin=wall_clock(start, zone),
        domainMax=wall_clock(quota.resets_at, zone),
        padding=0,
    )
    base = alt.Chart(ROWS).encode(
        x=alt.X("at:T", title=None, scale=scale, axis=alt.Axis(format="%-d %b", tickCount=8))
    )
    axis = alt.Axis(labelExpr=SHORT_NUMBER)
    used = base.mark_line(color="var(--indigo-9)", strokeWidth=2.5).encode(
        y=alt.Y("used:Q", title=None, axis=axis, scale=alt.Scale(zero=True))
    )
    expected = base.mark_line(color="var(--indigo-9)", strokeWidth=2, strokeDash=[4, 4]).encode(
        y=alt.Y("expected:Q", title=None)
    )
    limit = base.mark_line(color="var(--red-9)", strokeWidth=1.5).encode(
        y=alt.Y("limit:Q", title=None)
    )
    pointer = base.mark_rule(strokeWidth=16, opacity=0).encode(
        tooltip=[
            alt.Tooltip("when:N", title="Until"),
            alt.Tooltip("used_shown:N", title="Used"),
            alt.Tooltip("expected_shown:N", title="Expected"),
        ]
    )
    return finish(alt.layer(limit, used, expected, pointer), height=QUOTA_HEIGHT)


def burn_down_note(quota: QuotaStanding, drawn: BurnDown, time_zone: str) -> str:
    """Whether a quota lasts at the pace of late, in a sentence or two."""
    hard = quota.limit is QuotaLimit.HARD
    used = f"{count(quota.used)} of {count(quota.quantity)} used"
    resets = date(quota.resets_at, time_zone)
    renewed = f"gone with the trial on {resets}" if quota.of_trial else f"renewed on {resets}"
    if quota.used >= quota.quantity:
        then = "Calls are refused until then." if hard else "Calls go on."
        return f"{used}; {renewed}. {then}"
    pace = f"At the pace of the last {PACE_DAYS} days"
    if drawn.ends is None:
        return f"{used}; {renewed}. {pace} it lasts."
    then = "; calls are refused from then on" if hard else "; calls go on"
    day = date(drawn.ends, time_zone)
    return f"{used}; {renewed}. {pace} it is used up on {day}{then}."


def _pace(
    by_day: dict[datetime, Decimal], start: datetime, now: datetime, zone: ZoneInfo
) -> Decimal:
    since = max(start, _day(now - timedelta(days=PACE_DAYS), zone))
    passed = Decimal(str((now - since).total_seconds() / 86400))
    used = sum((quantity for day, quantity in by_day.items() if day >= since), Decimal(0))
    return used / passed if passed > 0 else Decimal(0)


def _days(number: Decimal) -> timedelta:
    return timedelta(days=min(float(number), 10_000.0))


def _day(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def _row(
    at: datetime,
    zone: ZoneInfo,
    *,
    used: Decimal | None = None,
    expected: Decimal | None = None,
) -> dict[str, Any]:
    local = at.astimezone(zone)
    return {
        "at": wall_clock_ms(at, zone),
        "when": f"{local:%a} {local.day} {local:%b, %H:%M}",
        "used": None if used is None else float(used),
        "used_shown": "–" if used is None else count(used),
        "expected": None if expected is None else float(expected),
        "expected_shown": "–" if expected is None else count(round(expected)),
    }


def named_quotas(quotas: Sequence[QuotaStanding], names: Sequence[str]) -> list[str]:
    """What each quota is called, the trial's marked."""
    return [
        f"{name} (trial)" if quota.of_trial else name
        for quota, name in zip(quotas, names, strict=True)
    ]
