"""The tenant's plan, and moving to another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from backend_client.types.charges import FlatCharge, FlatPer
from backend_client.types.plans import Plan, PlanDefinition
from backend_client.types.subscriptions import Subscription, SubscriptionChange, SubscriptionState
from portal.features.spend.plan_terms import asks_for_nothing, plan_terms
from portal.features.spend.state import Spend
from portal.session.guard import PLANNERS, Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session


@dataclass(frozen=True)
class PlanCard:
    """A plan as it is offered; ``terms`` are its charges and quotas, a line each."""

    id: str
    name: str
    description: str
    terms: list[str]


class Plans(PageState, Session):
    """The plan card of the spend page."""

    current: PlanCard = PlanCard("", "", "", [])
    since: str = ""
    next_change: str = ""
    takes_effect: str = ""
    offered: list[PlanCard] = []

    @signed_in(background=True)
    async def load(self, caller: Caller) -> None:
        """Load the tenant's plan and those it can move to."""
        subscription = await caller.client.subscription.get()
        plans = await caller.client.plans.list().all()
        async with self:
            self._show(subscription, plans, caller.me.tenant.time_zone)
            self._ready()

    @signed_in(roles=PLANNERS, background=True)
    async def change(self, caller: Caller, plan: str) -> Any:
        """Move to another plan: from the next quarter hour on; from a free one, at once."""
        in_force = await caller.client.subscription.get()
        now = datetime.now(UTC)
        at = quarter_hour(now) if asks_for_nothing(in_force.plan.definition) else None
        await caller.client.subscription.update(SubscriptionChange(plan=plan, at=at))
        return [Plans.load, Spend.watch]

    def _show(self, subscription: Subscription, plans: list[Plan], time_zone: str) -> None:
        definition = subscription.plan.definition
        self.current = plan_card(definition)
        self.since = since_note(subscription, time_zone)
        self.next_change = change_note(subscription, time_zone)
        self.takes_effect = (
            "The change takes effect at once, with the present quarter hour."
            if asks_for_nothing(definition)
            else "The change takes effect at the next quarter hour. What was used before is billed "
            "by the plan of its time; fees are prorated, and what is left of a yearly one is given "
            "back."
        )
        self.offered = [
            plan_card(plan.definition)
            for plan in plans
            if plan.definition.id != definition.id and not plan.definition.by_contract
        ]


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


def quarter_hour(now: datetime) -> datetime:
    """The start of the quarter hour that ``now`` is in."""
    return now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
