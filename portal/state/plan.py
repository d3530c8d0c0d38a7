"""The tenant's plan, and moving to another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from backend_client.types.plans import (
    FlatCharge,
    GraduatedCharge,
    PerUnitCharge,
    Plan,
    PlanDefinition,
    Quota,
    QuotaLimit,
    Subscription,
    SubscriptionChange,
)
from portal.formatting import compact, meters_name, money, unit_price
from portal.session import PLANNERS, Caller, signed_in
from portal.state.page import PageState
from portal.state.session import Session


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
    offered: list[PlanCard] = []

    @signed_in(background=True)
    async def load(self, caller: Caller) -> None:
        """Load the tenant's plan and those it can move to."""
        subscription = await caller.client.subscription()
        plans = await caller.client.plans()
        async with self:
            self._show(subscription, plans, caller.me.tenant.time_zone)
            self._ready()

    @signed_in(roles=PLANNERS, background=True)
    async def change(self, caller: Caller, plan: str) -> None:
        """Move to another plan from the next quarter hour on."""
        changed = await caller.client.change_plan(SubscriptionChange(plan=plan))
        subscription = await caller.client.subscription()
        plans = await caller.client.plans()
        async with self:
            self._show(subscription, plans, caller.me.tenant.time_zone)
            self.next_change = change_note(changed, caller.me.tenant.time_zone)

    def _show(self, subscription: Subscription, plans: list[Plan], time_zone: str) -> None:
        self.current = plan_card(subscription.plan.definition)
        self.since = f"Since {moment(subscription.start, time_zone)}"
        self.offered = [
            plan_card(plan.definition) for plan in plans if plan.definition.id != self.current.id
        ]


def change_note(changed: Subscription, time_zone: str) -> str:
    """When a change takes effect, in a sentence; nothing once it has."""
    if changed.start <= datetime.now(UTC):
        return ""
    return f"{changed.plan.definition.name} begins {moment(changed.start, time_zone)}."


def moment(when: datetime, time_zone: str) -> str:
    """A moment to the minute, in the tenant's time zone: ``24 Nov 2026, 12:15``."""
    local = when.astimezone(ZoneInfo(time_zone))
    return f"{local.day} {local:%b %Y, %H:%M}"


def plan_card(plan: PlanDefinition) -> PlanCard:
    """A plan as it is offered."""
    charges = [charge_term(charge, plan.currency) for charge in plan.charges]
    return PlanCard(
        plan.id, plan.name, plan.description, [*charges, *(quota_term(q) for q in plan.quotas)]
    )


def charge_term(charge: PerUnitCharge | GraduatedCharge | FlatCharge, currency: str) -> str:
    """A charge in a line."""
    if isinstance(charge, FlatCharge):
        return f"{charge.name}: {money(charge.price, currency)} per month"
    if isinstance(charge, PerUnitCharge) and charge.price == 0:
        price = "free"
    elif isinstance(charge, PerUnitCharge):
        price = unit_price(charge.price, charge.unit_size, currency)
    else:
        price = "from " + unit_price(charge.tiers[0].price, charge.unit_size, currency)
    included = f", {compact(charge.included)} included" if charge.included else ""
    return f"{charge.name}: {price}{included}"


def quota_term(quota: Quota) -> str:
    """A quota in a line."""
    what = meters_name(quota.meters).lower()
    end = "then calls are refused" if quota.limit is QuotaLimit.HARD else "then calls go on"
    return f"{compact(quota.quantity)} a month of {what}, {end}"
