"""The tenant's plan, and moving to another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from backend_client.types.plans import Plan
from backend_client.types.subscriptions import Subscription, SubscriptionChange
from portal.features.spend.plan_rows import (
    PlanCard,
    change_note,
    plan_card,
    quarter_hour,
    since_note,
)
from portal.features.spend.plan_terms import asks_for_nothing
from portal.features.spend.state import Spend
from portal.session.guard import PLANNERS, Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session


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
