"""Plans side by side: what each costs, line by line, and at which volume which is cheapest.

Plain functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from backend_client.types.simulate import SimulatedPlan
from backend_client.types.spend import SpendReport
from portal.features.compare.workload import Choice
from portal.kit.formatting import compact, fine_money, money, period
from portal.shared.charges.rows import LineRow, adjustment_row, line_row

NO_LIMITS: Final[Mapping[str, list[str]]] = MappingProxyType({})


@dataclass(frozen=True)
class PlanColumn:
    """A plan's bill. ``note`` says why it can't carry the usage, or what its credit pays.

    ``dearer`` is what it costs beyond the cheapest; empty for that one and what does not fit.
    """

    id: str
    name: str
    version: str
    fits: bool
    cheapest: bool
    to_pay: str
    each: str
    dearer: str
    note: str
    lines_of: str
    lines: list[LineRow]
    total: str
    limits: list[str]


@dataclass(frozen=True)
class Point:
    """A volume of the curve, in chats a month, and each plan's bill; None where it stops."""

    chats: Decimal
    bills: dict[str, Decimal | None]


def plan_columns(
    plans: Sequence[SimulatedPlan], choice: Choice, limits: Mapping[str, list[str]] = NO_LIMITS
) -> list[PlanColumn]:
    """Return the plans as the API orders them: those that fit first, the cheapest of them first.

    ``limits`` are those of each plan in words, where they are known.
    """
    cheapest = next((plan for plan in plans if plan.fits), None)
    return [
        _column(plan, choice, cheapest, limits.get(plan.plan, [])) for plan in plans if plan.periods
    ]


def _column(
    plan: SimulatedPlan, choice: Choice, cheapest: SimulatedPlan | None, limits: list[str]
) -> PlanColumn:
    currency = plan.total.currency
    last = plan.periods[-1]
    lines = [line_row(line, currency, last.period.time_zone) for line in last.lines]
    lines += [adjustment_row(adjustment, currency) for adjustment in last.adjustments]
    dearer = ""
    if plan.fits and cheapest is not None and plan.plan != cheapest.plan:
        difference = plan.to_pay.amount - cheapest.to_pay.amount
        dearer = f"{money(difference, currency)} more" if difference else "The same"
    return PlanColumn(
        id=plan.plan,
        name=plan.name,
        version=f"v{plan.plan_version}" if plan.plan_version else "Draft",
        fits=plan.fits,
        cheapest=plan is cheapest,
        to_pay=money(plan.to_pay.amount, currency),
        each=_each(plan, choice),
        dearer=dearer,
        note=plan.reason or _credit_note(plan),
        lines_of=period(last.period.start, last.period.end, last.period.time_zone),
        lines=lines,
        total=money(last.total.amount, currency),
        limits=limits,
    )


def _each(plan: SimulatedPlan, choice: Choice) -> str:
    """Say what a chat costs on average; nothing for the past, whose chats are not known here."""
    if choice.basis == "past":
        return ""
    growth = 1 + Decimal(choice.growth) / 100
    chats = sum(
        (
            choice.chats * growth**place * days
            for place, days in enumerate(period_days(plan.periods))
        ),
        Decimal(0),
    )
    return f"{fine_money(plan.to_pay.amount / chats, plan.to_pay.currency)} a chat"


def _credit_note(plan: SimulatedPlan) -> str:
    if not plan.credit.amount:
        return ""
    return f"{money(plan.credit.amount, plan.credit.currency)} of it is paid by the plan’s credit."


def period_days(periods: Sequence[SpendReport]) -> list[Decimal]:
    """Return how many days each period has; with a change of clocks not a whole number."""
    return [
        Decimal(int((report.period.end - report.period.start).total_seconds())) / 86_400
        for report in periods
    ]


def curve_points(plans: Sequence[SimulatedPlan], volumes: Sequence[Decimal]) -> list[Point]:
    """Return the bills by volume, from the curve's simulation; by the names of the plans."""
    return [
        Point(
            chats,
            {
                plan.name: plan.periods[place].total.amount
                if place < plan.periods_carried
                else None
                for plan in plans
            },
        )
        for place, chats in enumerate(volumes)
    ]


def crossovers(points: Sequence[Point]) -> list[str]:
    """Say from which volume on which plan is the cheapest of those that carry it."""
    sentences = []
    for before, after in pairwise(points):
        left, reached = _cheapest(before), _cheapest(after)
        if left is None or reached is None or left == reached:
            continue
        volume = compact(_crossing(before, after, left, reached).quantize(Decimal(1)))
        if after.bills[left] is None:
            sentences.append(f"{left} ends before {volume} chats a month; then it is {reached}.")
        else:
            sentences.append(f"From about {volume} chats a month {reached} costs less than {left}.")
    return sentences


def _cheapest(point: Point) -> str | None:
    bills = [(bill, name) for name, bill in point.bills.items() if bill is not None]
    return min(bills)[1] if bills else None


def _crossing(before: Point, after: Point, left: str, reached: str) -> Decimal:
    """Return where two bills meet between two volumes, as if both were straight lines there."""
    left_before, reached_before = before.bills[left], before.bills[reached]
    left_after, reached_after = after.bills[left], after.bills[reached]
    if left_before is None or reached_before is None or left_after is None or reached_after is None:
        return after.chats
    gap_before, gap_after = reached_before - left_before, left_after - reached_after
    if gap_before + gap_after == 0:
        return after.chats
    share = gap_before / (gap_before + gap_after)
    return before.chats + (after.chats - before.chats) * share
