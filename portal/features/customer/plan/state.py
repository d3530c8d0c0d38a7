"""The customer's plan, its own prices, and what was agreed beside the plan."""

from __future__ import annotations

from typing import Any, Literal, cast

from backend_client import NotFound
from backend_client.types.plan_terms import OwnPrice
from backend_client.types.subscriptions import (
    Subscription,
    SubscriptionCancel,
    SubscriptionPause,
    SubscriptionState,
)
from portal.features.customer.forms import change_from, prices_from
from portal.features.customer.plan.rows import (
    AgreementRow,
    ChargeRow,
    charge_rows,
    contract_row,
    coupon_row,
    plan_facts,
)
from portal.features.customer.state import LOADS, CustomerPage
from portal.kit.choice import Choice
from portal.kit.facts import FactRow
from portal.session.guard import Caller, NextEvents, signed_in

ENDS = {"period_end": "With the billing period", "now": "At the next quarter hour"}


class PlanTab(CustomerPage):
    """``subscribed`` says whether the customer has a plan now."""

    subscribed: bool = False
    paused: bool = False
    plan_id: str = ""
    seats: str = ""
    plan_facts: list[FactRow] = []
    charges: list[ChargeRow] = []
    coupons: list[AgreementRow] = []
    contracts: list[AgreementRow] = []
    plans: list[Choice] = []
    offered_coupons: list[Choice] = []
    _own: dict[str, OwnPrice] = {}

    @signed_in(operator=True, background=True)
    async def load(self, caller: Caller) -> None:
        """Load the plan with its prices, coupons and contracts."""
        client, tenant = caller.client, self._wanted
        try:
            subscription = await client.subscription.get(tenant=tenant)
        except NotFound:
            subscription = None
        plans = await client.plans.list().all()
        redeemed = await client.subscription.coupons.list(tenant=tenant).all()
        contracts = await client.contracts.list(tenant=tenant).all()
        coupons = await client.coupons.list().all()
        async with self:
            if self._is_about_another(tenant):
                return
            zone = self.customer.time_zone
            self.plans = [Choice(plan.definition.id, plan.definition.name) for plan in plans]
            self.coupons = [coupon_row(coupon, zone) for coupon in redeemed]
            currency = self.customer.currency
            self.contracts = [contract_row(contract, currency, zone) for contract in contracts]
            taken = {coupon.coupon.id for coupon in redeemed}
            self.offered_coupons = [
                Choice(coupon.id, coupon.name) for coupon in coupons if coupon.id not in taken
            ]
            on_sale = {plan.definition.id: plan.definition for plan in plans}
            self._show_plan(subscription)
            if subscription is not None:
                # With what follows, so that prices agreed for later are not written over
                plan = subscription.next_plan or subscription.plan
                listed = on_sale.get(plan.definition.id, plan.definition)
                self.plan_id = plan.definition.id
                self.charges = charge_rows(listed, plan, self.customer.currency)
                self._own = {price.id: price for price in plan.own_prices}
            self.read += 1
            self._show("plan")

    def _show_plan(self, subscription: Subscription | None) -> None:
        self.subscribed = subscription is not None
        if subscription is None:
            self.plan_id, self.seats, self.paused = "", "", False
            self.plan_facts, self.charges, self._own = [], [], {}
            return
        self.seats = str(subscription.seats)
        self.paused = subscription.state is SubscriptionState.PAUSED
        self.plan_facts = plan_facts(subscription, self.customer.time_zone)

    @signed_in(operator=True)
    async def open_plan_dialog(self, caller: Caller, dialog: str) -> None:
        """Open the dialog that changes the plan, its prices or its end, or redeems a coupon."""
        if dialog in {"plan", "prices", "cancel", "coupon"}:
            self._open(dialog)

    @signed_in(operator=True)
    async def change(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Move the customer to a plan."""

        async def act() -> str:
            change = change_from(form, self.customer.time_zone)
            changed = await caller.client.subscription.update(change, tenant=self._wanted)
            return f"{changed.plan.definition.name} applies from then on."

        return await self._try(act, PlanTab.load)

    @signed_in(operator=True)
    async def set_prices(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Agree prices of its own with the customer."""

        async def act() -> str:
            change = prices_from(form, self.plan_id, self._own, self.customer.time_zone)
            changed = await caller.client.subscription.update(change, tenant=self._wanted)
            if not changed.plan.own_prices:
                return "The plan’s own prices apply from then on."
            return f"Version {changed.plan.version} with these prices applies from then on."

        return await self._try(act, PlanTab.load)

    @signed_in(operator=True)
    async def end(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """End the subscription."""
        when = str(form.get("when", ""))

        async def act() -> str:
            ends = cast("Literal['period_end', 'now']", when)
            await caller.client.subscription.cancel(
                SubscriptionCancel(when=ends), tenant=self._wanted
            )
            return "The subscription ends. Choosing a plan takes that back."

        return await self._try(act, PlanTab.load) if when in ENDS else None

    @signed_in(operator=True)
    async def pause_or_resume(self, caller: Caller) -> NextEvents:
        """Pause the subscription, or resume it."""

        async def act() -> str:
            subscription = caller.client.subscription
            if self.paused:
                await subscription.resume(tenant=self._wanted)
                return "It resumes with the next quarter hour."
            await subscription.pause(SubscriptionPause(), tenant=self._wanted)
            return "It is paused from the next quarter hour on: no fee runs, calls are refused."

        return await self._try(act, PlanTab.load)

    @signed_in(operator=True)
    async def redeem(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Redeem a coupon for the customer."""

        async def act() -> str:
            coupon = str(form.get("coupon", ""))
            redeemed = await caller.client.subscription.coupons.redeem(coupon, tenant=self._wanted)
            return f"{redeemed.coupon.name} applies from the present period on."

        return await self._try(act, PlanTab.load)


LOADS["plan"] = PlanTab.load
