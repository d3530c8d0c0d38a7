"""A plan on Amberflo: a meter and a price for each charge, and a customer's assignment to it.

All have ids of ours. What is made in several steps is locked with the last one, and may be made
over until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from backend.platforms.adapter import Attempt, Memory, Refused
from backend.platforms.amberflo.calls import AmberfloCalls
from backend.platforms.amberflo.mapping import (
    assignment_payload,
    item_payload,
    meter_name,
    meter_payload,
    plan_id,
    plan_payload,
    price_payload,
    priced_charges,
)
from backend.platforms.documents import PlanDocument

_PRICING: Final = "/payments/pricing/amberflo/account-pricing"
_ASSIGNED: Final = "/payments/pricing/amberflo/customer-pricing"


@dataclass(frozen=True, slots=True)
class AmberfloPlans:
    """Makes meters, prices, plans and assignments. ``shared`` remembers what tenants share."""

    calls: AmberfloCalls
    shared: Memory

    async def subscribe(
        self, plan: PlanDocument, customer: str, starts_at: datetime, attempt: Attempt
    ) -> str:
        """Assign a customer to a plan from the start of a period on.

        The meters are remembered for the tenant last, as usage is sent from then on: a customer
        whose usage comes before its plan is put on the account's default plan.
        """
        kept = f"{int(starts_at.timestamp())}"
        remote_id = await attempt.memory.recall("subscription", kept)
        if remote_id is not None:
            return remote_id
        meters = [
            await self._meter(charge.meters[0], (charge.models or [""])[0])
            for charge in priced_charges(plan)
        ]
        plan_there = await self._plan(plan)
        if await self._assignment(customer, plan_there, kept) is None:
            await self.calls.post(_ASSIGNED, assignment_payload(customer, plan_there, starts_at))
        for own_id, name in meters:
            await attempt.memory.remember("meter", own_id, name)
        remote_id = " ".join((customer, plan_there, kept))
        await attempt.memory.remember("subscription", kept, remote_id)
        return remote_id

    async def unsubscribe(self, remote_id: str, ends_at: datetime) -> None:
        """Let an assignment end."""
        customer, plan, kept = remote_id.split(" ")
        starts_at = datetime.fromtimestamp(int(kept), UTC)
        payload = assignment_payload(customer, plan, starts_at, ends_at)
        there = await self._assignment(customer, plan, kept)
        if there is None or there.get("endTimeInSeconds") == payload["endTimeInSeconds"]:
            return
        if there.get("relationId"):
            payload["relationId"] = there["relationId"]
        await self.calls.post(_ASSIGNED, payload)

    async def _plan(self, plan: PlanDocument) -> str:
        remote_id = plan_id(plan)
        if await self.shared.recall("plan", remote_id) is not None:
            return remote_id
        if not await self._is_locked(remote_id):
            try:
                await self._make(plan)
            except Refused:
                # Another worker was faster, and has locked it
                if not await self._is_locked(remote_id):
                    raise
        await self.shared.remember("plan", remote_id, remote_id)
        return remote_id

    async def _make(self, plan: PlanDocument) -> None:
        for charge in priced_charges(plan):
            item = item_payload(charge.meters[0], (charge.models or [""])[0])
            await self.calls.post(f"{_PRICING}/product-items", item)
            await self.calls.post(f"{_PRICING}/product-item-price", price_payload(plan, charge))
        for locked in (False, True):
            payload = plan_payload(plan, locked=locked)
            await self.calls.post(f"{_PRICING}/product-plans", payload)

    async def _is_locked(self, plan: str) -> bool:
        there = await self.calls.get(f"{_PRICING}/product-plans", {"productPlanId": plan})
        return bool(there) and there.get("lockingStatus") == "close_to_changes"

    async def _meter(self, meter: str, model: str) -> tuple[str, str]:
        own_id, name = f"{meter} {model}", meter_name(meter, model)
        if await self.shared.recall("meter", own_id) is None:
            if not await self._has_meter(name):
                try:
                    await self.calls.post("/meters", meter_payload(meter, model))
                except Refused:
                    if not await self._has_meter(name):
                        raise
            await self.shared.remember("meter", own_id, name)
        return own_id, name

    async def _has_meter(self, name: str) -> bool:
        return bool(await self.calls.get("/meters", {"meterApiName": name}))

    async def _assignment(self, customer: str, plan: str, since: str) -> Mapping[str, Any] | None:
        listed = await self.calls.get(f"{_ASSIGNED}/list", {"CustomerId": customer})
        for assigned in listed or ():
            same = (assigned["productPlanId"], str(assigned["startTimeInSeconds"]))
            if same == (plan, since):
                there: Mapping[str, Any] = assigned
                return there
        return None
