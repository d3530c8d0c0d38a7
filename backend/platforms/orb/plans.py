"""A plan on Orb: metrics and prices for its charges, and a tenant's subscription to it."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

from backend.platforms.adapter import Attempt, Refused
from backend.platforms.documents import PlanDocument
from backend.platforms.orb.calls import NOT_THERE, Json, OrbCalls
from backend.platforms.orb.catalog import OrbCatalog
from backend.platforms.orb.fits import counted_pairs
from backend.platforms.orb.mapping import CHARGES, stamp
from backend.platforms.orb.prices import Body, price_body
from backend_client.types.charges import FlatCharge


@dataclass(frozen=True, slots=True)
class OrbPlans:
    """Makes plans and subscriptions, each found again by our id."""

    calls: OrbCalls
    catalog: OrbCatalog

    async def subscribe(
        self,
        plan: PlanDocument,
        customer: str,
        starts_at: datetime,
        ends: datetime,
        attempt: Attempt,
    ) -> str:
        """Subscribe a customer to a plan from the start of a period, which ends at ``ends``."""
        kept = f"{int(starts_at.timestamp())}"
        remote_id = await attempt.memory.recall("subscription", kept)
        if remote_id is not None:
            return remote_id
        plan_id = await self._plan(plan)
        await self._remember_meters(plan, attempt)
        if attempt.tried or attempt.look_up:
            remote_id = await self._find(customer, kept)
        if remote_id is None:
            day = anchor_day(starts_at, ends, ZoneInfo(plan.time_zone))
            body = {
                "customer_id": customer,
                "plan_id": plan_id,
                "start_date": stamp(starts_at),
                "billing_cycle_anchor_configuration": {"day": day},
                "net_terms": plan.net_days,
                "metadata": {"farebox_tenant": plan.tenant_id, "farebox_since": kept},
            }
            remote_id = str((await self.calls.post("/subscriptions", body))["id"])
        await attempt.memory.remember("subscription", kept, remote_id)
        return remote_id

    async def unsubscribe(self, remote_id: str, ends_at: datetime) -> None:
        """End a subscription where its period ends, whenever that is asked for."""
        subscription = await self.calls.get(f"/subscriptions/{remote_id}")
        if subscription["end_date"] is None:
            body = {"cancel_option": "requested_date", "cancellation_date": stamp(ends_at)}
            await self.calls.post(f"/subscriptions/{remote_id}/cancel", body)

    async def _plan(self, plan: PlanDocument) -> str:
        """Return the remote id of a plan, making it if it is not there."""
        alias = f"farebox-{plan.id}-{plan.version}-{plan.currency}"
        body = await self._plan_body(plan, alias)
        async with self.catalog.making:
            return await self._ensured(alias, body)

    async def _ensured(self, alias: str, body: Body) -> str:
        remote_id = await self.catalog.shared.recall("plan", alias)
        if remote_id is None:
            there = await self._plan_named(alias)
            if there is None:
                there = await self.calls.post("/plans", body)
            elif (there.get("metadata") or {}).get("farebox_plan") != alias:
                raise Refused(f"Orb's plan {there['id']} has our id {alias!r}, and is not ours.")
            remote_id = str(there["id"])
            await self.catalog.shared.remember("plan", alias, remote_id)
        return remote_id

    async def _plan_body(self, plan: PlanDocument, alias: str) -> Body:
        item_id = await self.catalog.item(CHARGES)
        prices = []
        for charge in plan.charges:
            metric_id = None
            if not isinstance(charge, FlatCharge):
                metric_id = await self.catalog.metric(counted_pairs(charge))
            prices.append({"price": price_body(charge, item_id, metric_id)})
        return {
            "name": f"{plan.id} {plan.version}",
            "external_plan_id": alias,
            "currency": plan.currency,
            "net_terms": plan.net_days,
            "prices": prices,
            "metadata": {"farebox_plan": alias},
        }

    async def _plan_named(self, alias: str) -> Json | None:
        try:
            return await self.calls.get(f"/plans/external_plan_id/{quote(alias, safe='')}")
        except Refused as refusal:
            if refusal.code != NOT_THERE:
                raise
            return None

    async def _remember_meters(self, plan: PlanDocument, attempt: Attempt) -> None:
        """Have each meter and model a metric of its own, by which both sides are compared."""
        for charge in plan.charges:
            if isinstance(charge, FlatCharge):
                continue
            for meter, model in counted_pairs(charge):
                metric_id = await self.catalog.metric([(meter, model)])
                await attempt.memory.remember("meter", f"{meter} {model}", metric_id)

    async def _find(self, customer: str, since: str) -> str | None:
        async for there in self.calls.all("/subscriptions", {"customer_id[]": [customer]}):
            if there["metadata"].get("farebox_since") == since:
                return str(there["id"])
        return None


def anchor_day(starts_at: datetime, ends: datetime, zone: ZoneInfo) -> int:
    """Return the day of the month that periods begin with from the first one's end on.

    A month that has no such day ends early: then the later of both days is meant.
    """
    first, last = starts_at.astimezone(zone), ends.astimezone(zone)
    is_last_of_month = last.day == monthrange(last.year, last.month)[1]
    return max(first.day, last.day) if is_last_of_month else last.day
