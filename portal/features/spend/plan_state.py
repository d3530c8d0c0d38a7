"""The tenant's plan: moving to another, its seats and add-ons, pausing, coupons, ending it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from backend_client import ClientError
from backend_client.types.plans import Plan
from backend_client.types.subscriptions import (
    Subscription,
    SubscriptionCancel,
    SubscriptionChange,
    SubscriptionPause,
    SubscriptionState,
)
from portal.features.spend.plan_change import (
    FIELDS,
    AddOnRow,
    ChangePreview,
    PreviewRow,
    add_on_rows,
    at_once,
    by_field,
    change_preview,
    coupon_from,
    has_seats,
    preview_rows,
    quantities_from,
)
from portal.features.spend.plan_rows import PlanCard, change_note, plan_card, since_note
from portal.features.spend.plan_terms import asks_for_nothing
from portal.features.spend.state import Spend
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.session.guard import PLANNERS, Caller, NextEvents, may_change, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shell.toasts import toast

_NO_PROBLEMS = dict.fromkeys(FIELDS, "")
ENDS = ("period_end", "now")


class Plans(PageState, Session):
    """The plan card of the spend page.

    ``dialog`` is ``change``, ``quantities``, ``coupon``, ``end`` or empty. While ``preview`` has a
    plan, the dialog ``change`` shows what moving to it would do.
    """

    current: PlanCard = PlanCard("", "", "", [])
    since: str = ""
    next_change: str = ""
    takes_effect: str = ""
    offered: list[PlanCard] = []
    paused: bool = False
    has_quantities: bool = False
    has_seats: bool = False
    seats: str = "1"
    add_ons: list[AddOnRow] = []
    coupons: list[str] = []
    dialog: str = ""
    preview: ChangePreview = ChangePreview()
    preview_rows: list[PreviewRow] = []
    problems: dict[str, str] = _NO_PROBLEMS
    _wanted: SubscriptionChange | None = None

    def _fail(self, why: str) -> None:
        """Say why in the dialog while one is open, for it covers the page."""
        if self.dialog:
            self.problems = {**_NO_PROBLEMS, "form": why}
        else:
            super()._fail(why)

    @signed_in(background=True)
    async def load(self, caller: Caller) -> None:
        """Load the tenant's plan and those it can move to."""
        subscription = await caller.client.subscription.get()
        plans = await caller.client.plans.list().all()
        coupons = []
        if may_change(caller.me, PLANNERS):
            coupons = await caller.client.subscription.coupons.list().all()
        async with self:
            self._show(subscription, plans, caller.me.tenant.time_zone)
            self.coupons = [redeemed.coupon.name for redeemed in coupons]
            self._ready()

    @signed_in(roles=PLANNERS)
    async def open(self, caller: Caller, dialog: str) -> None:
        """Open a dialog about the plan."""
        self._close()
        if dialog in ("change", "quantities", "coupon", "end"):
            self.dialog = dialog

    @signed_in(roles=PLANNERS)
    async def close(self, caller: Caller) -> None:
        """Leave everything as it is."""
        self._close()

    @signed_in(roles=PLANNERS)
    async def ask(self, caller: Caller, plan: str) -> None:
        """Show what moving to a plan would do."""
        in_force = await caller.client.subscription.get()
        at = at_once(in_force.plan.definition, datetime.now(UTC))
        await self._preview(caller, SubscriptionChange(plan=plan, at=at))

    @signed_in(roles=PLANNERS)
    async def ask_quantities(self, caller: Caller, form: dict[str, Any]) -> None:
        """Show what other seats and add-ons would do."""
        in_force = await caller.client.subscription.get()
        at = at_once(in_force.plan.definition, datetime.now(UTC))
        try:
            plan = in_force.plan.definition.id
            await self._preview(caller, quantities_from(form, plan, self.add_ons, at))
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}

    @signed_in(roles=PLANNERS)
    async def back(self, caller: Caller) -> None:
        """Choose again."""
        self.preview, self.preview_rows, self._wanted = ChangePreview(), [], None
        self.problems = _NO_PROBLEMS

    @signed_in(roles=PLANNERS)
    async def confirm(self, caller: Caller) -> NextEvents:
        """Make the change that is shown."""
        wanted = self._wanted
        if wanted is None:
            return None
        # From a free plan the quarter hour that it was asked in may be over
        in_force = await caller.client.subscription.get()
        at = at_once(in_force.plan.definition, datetime.now(UTC))

        async def act() -> str:
            change = wanted.model_copy(update={"at": at})
            changed = await caller.client.subscription.update(change)
            return f"{changed.plan.definition.name} is your plan from then on."

        return await self._act(act)

    @signed_in(roles=PLANNERS)
    async def redeem(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Redeem a coupon."""

        async def act() -> str:
            redeemed = await caller.client.subscription.coupons.redeem(coupon_from(form))
            return f"{redeemed.coupon.name} is redeemed."

        return await self._act(act)

    @signed_in(roles=PLANNERS)
    async def pause(self, caller: Caller) -> NextEvents:
        """Pause at the next quarter hour."""

        async def act() -> str:
            await caller.client.subscription.pause(SubscriptionPause())
            return "The plan is paused from the next quarter hour on."

        return await self._act(act)

    @signed_in(roles=PLANNERS)
    async def resume(self, caller: Caller) -> NextEvents:
        """Go on with the plan from the next quarter hour."""

        async def act() -> str:
            await caller.client.subscription.resume()
            return "The plan goes on from the next quarter hour."

        return await self._act(act)

    @signed_in(roles=PLANNERS)
    async def cancel(self, caller: Caller, when: str) -> NextEvents:
        """End the plan with its billing period, or with this quarter hour."""
        if when not in ENDS:
            return None

        async def act() -> str:
            wanted = SubscriptionCancel(when="now" if when == "now" else "period_end")
            await caller.client.subscription.cancel(wanted)
            return "The plan ends as you chose. Choosing a plan takes that back."

        return await self._act(act)

    async def _preview(self, caller: Caller, wanted: SubscriptionChange) -> None:
        self.problems = _NO_PROBLEMS
        preview = await caller.client.subscription.preview(wanted)
        zone = caller.me.tenant.time_zone
        self._wanted, self.preview = wanted, change_preview(preview, zone)
        self.preview_rows = preview_rows(preview, zone)

    async def _act(self, act: Callable[[], Awaitable[str]]) -> NextEvents:
        """Do what a dialog asks for and load again; or say what is wrong, at its fields."""
        self.problems = _NO_PROBLEMS
        try:
            done = await act()
        except (FormProblems, ClientError) as problem:
            wrong = problems_by_field(problem, by_field)
            if not self.dialog:
                self.problem = "; ".join(wrong.values())
            self.problems = {**_NO_PROBLEMS, **wrong}
            return None
        self._close()
        self.problem = ""
        return [Plans.load, Spend.watch, toast(done)]

    def _close(self) -> None:
        self.dialog, self.problems = "", _NO_PROBLEMS
        self.preview, self.preview_rows, self._wanted = ChangePreview(), [], None

    def _show(self, subscription: Subscription, plans: list[Plan], time_zone: str) -> None:
        definition = subscription.plan.definition
        self.current = plan_card(definition)
        self.since = since_note(subscription, time_zone)
        self.next_change = change_note(subscription, time_zone)
        self.paused = subscription.state is SubscriptionState.PAUSED
        self.seats, self.add_ons = str(subscription.seats), add_on_rows(subscription)
        self.has_seats = has_seats(definition)
        self.has_quantities = self.has_seats or bool(self.add_ons)
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
