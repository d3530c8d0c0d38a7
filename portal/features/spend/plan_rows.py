"""Plans and the subscription in words. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from backend_client.types.charges import FlatCharge, FlatPer
from backend_client.types.plans import PlanDefinition
from backend_client.types.subscriptions import Subscription, SubscriptionState
from portal.features.spend.plan_terms import plan_terms


@dataclass(frozen=True)
class PlanCard:
    """A plan as it is offered; ``terms`` are its charges and quotas, a line each."""

    id: str
    name: str
    description: str
    terms: list[str]


def plan_card(plan: PlanDefinition) -> PlanCard:
    """A plan as it is offered."""
    return PlanCard(plan.id, plan.name, plan.description, plan_terms(plan))


def since_note(subscription: Subscription, time_zone: str) -> str:
    """Since when the plan holds, for how many seats, its state, and when a year's fee is due."""
    parts = [f"Since {moment(subscription.start, time_zone)}"]
    fees = [c for c in subscription.plan.definition.charges if isinstance(c, FlatCharge)]
    if any(fee.per is FlatPer.SEAT for fee in fees):
        parts.append(f"{subscription.seats} seats" if subscription.seats != 1 else "1 seat")
    if subscription.state is not SubscriptionState.ACTIVE:
        state = "on trial" if subscription.state is SubscriptionState.TRIAL else "paused"
        until = subscription.state_until
        parts.append(f"{state} until {moment(until, time_zone)}" if until else state)
    if subscription.renews_at is not None:
        parts.append(f"next year's fee {moment(subscription.renews_at, time_zone)}")
    return " · ".join(parts)


def change_note(subscription: Subscription, time_zone: str) -> str:
    """The change that is scheduled, in a sentence; nothing without one."""
    if subscription.next_plan is None or subscription.end is None:
        return ""
    name = subscription.next_plan.definition.name
    return f"{name} begins {moment(subscription.end, time_zone)}."


def moment(when: datetime, time_zone: str) -> str:
    """A moment to the minute, in the tenant's time zone: ``24 Nov 2026, 12:15``."""
    local = when.astimezone(ZoneInfo(time_zone))
    return f"{local.day} {local:%b %Y, %H:%M}"
