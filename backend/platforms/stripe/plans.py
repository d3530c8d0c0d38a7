"""A plan on Stripe: a meter and a price for each charge, and a tenant's subscription to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from backend.platforms.adapter import Attempt, Memory, Refused
from backend.platforms.documents import PlanDocument
from backend.platforms.stripe.calls import StripeCalls
from backend.platforms.stripe.fits import in_minor_units
from backend.platforms.stripe.forms import Form
from backend.platforms.stripe.times import unix
from backend.platforms.stripe.usage import event_name
from backend.pricing.money import ZERO
from backend_client.types.charges import (
    FlatCharge,
    GraduatedCharge,
    PerUnitCharge,
    Tier,
    VolumeCharge,
)

Fitting = FlatCharge | PerUnitCharge | GraduatedCharge | VolumeCharge


@dataclass(frozen=True, slots=True)
class StripePlans:
    """Makes meters, prices and subscriptions. ``shared`` remembers what all tenants use alike."""

    calls: StripeCalls
    shared: Memory

    async def subscribe(
        self,
        plan: PlanDocument,
        customer: str,
        starts_at: datetime,
        ends: datetime,
        attempt: Attempt,
    ) -> str:
        """Subscribe a customer to a plan from the start of a period, which ends at ``ends``."""
        kept = str(unix(starts_at))
        remote_id = await attempt.memory.recall("subscription", kept)
        if remote_id is not None:
            return remote_id
        items = []
        for charge in plan.charges:
            item: Form = {"price": await self._price(plan, charge, attempt)}
            items.append(item)
        if attempt.look_up:
            remote_id = await self._find(customer, kept)
        if remote_id is None:
            form: Form = {
                "customer": customer,
                "items": items,
                "currency": plan.currency.lower(),
                "backdate_start_date": unix(starts_at),
                "billing_cycle_anchor": unix(ends),
                "proration_behavior": "create_prorations",
                "collection_method": "send_invoice",
                "days_until_due": plan.net_days,
                "metadata": {"farebox_tenant": plan.tenant_id, "farebox_since": kept},
            }
            key = attempt.key("subscription", plan.tenant_id, kept)
            created = await self.calls.post("/v1/subscriptions", form, key)
            remote_id = str(created["id"])
        await attempt.memory.remember("subscription", kept, remote_id)
        return remote_id

    async def unsubscribe(self, remote_id: str, ends_at: datetime, attempt: Attempt) -> None:
        """End a subscription, and have what is left of it invoiced.

        Stripe ends it itself if that is to come, so that no other period begins. Later, what it
        asked for of the period that runs is given back.
        """
        subscription = await self.calls.get(f"/v1/subscriptions/{remote_id}")
        if subscription["status"] == "canceled":
            return
        if ends_at > datetime.now(UTC):
            form: Form = {"cancel_at": unix(ends_at), "proration_behavior": "create_prorations"}
            key = attempt.key("subscription-end", remote_id, str(unix(ends_at)))
            await self.calls.post(f"/v1/subscriptions/{remote_id}", form, key)
        else:
            await self.calls.delete(
                f"/v1/subscriptions/{remote_id}", {"invoice_now": True, "prorate": True}
            )

    async def _price(self, plan: PlanDocument, charge: Fitting, attempt: Attempt) -> str:
        own_id = f"{plan.id} {plan.version} {charge.id} {plan.currency}"
        price: Form = price_form(charge, plan.currency)
        if not isinstance(charge, FlatCharge):
            meter = await self._meter(charge.meters[0], (charge.models or [""])[0], attempt)
            recurring: Form = {"interval": "month", "usage_type": "metered", "meter": meter}
            price = {**price, "recurring": recurring}
        remote_id = await self.shared.recall("price", own_id)
        if remote_id is None:
            form: Form = {
                **price,
                "currency": plan.currency.lower(),
                "product_data": {"name": charge.name},
                "metadata": {"farebox_charge": own_id},
            }
            created = await self.calls.post("/v1/prices", form, attempt.key("price", own_id))
            remote_id = str(created["id"])
            await self.shared.remember("price", own_id, remote_id)
        return remote_id

    async def _meter(self, meter: str, model: str, attempt: Attempt) -> str:
        own_id = f"{meter} {model}"
        remote_id = await self.shared.recall("meter", own_id)
        if remote_id is None:
            name = event_name(meter, model)
            form: Form = {
                "display_name": f"{meter} of {model}"[:250],
                "event_name": name,
                "default_aggregation": {"formula": "sum"},
            }
            try:
                key = attempt.key("meter", own_id)
                remote_id = str((await self.calls.post("/v1/billing/meters", form, key))["id"])
            except Refused:
                remote_id = await self._meter_named(name)  # made before, and its id was lost
                if remote_id is None:
                    raise
            await self.shared.remember("meter", own_id, remote_id)
        await attempt.memory.remember("meter", own_id, remote_id)
        return remote_id

    async def _meter_named(self, name: str) -> str | None:
        async for meter in self.calls.all("/v1/billing/meters", {"status": "active"}):
            if meter["event_name"] == name:
                return str(meter["id"])
        return None

    async def _find(self, customer: str, since: str) -> str | None:
        async for item in self.calls.all("/v1/subscriptions", {"customer": customer}):
            if item["metadata"].get("farebox_since") == since:
                return str(item["id"])
        return None


def price_form(charge: Fitting, currency: str) -> Form:
    """Return how a charge is priced, in Stripe's words: per unit or tiers, in the minor unit."""
    match charge:
        case FlatCharge():
            price = in_minor_units(charge.price, 1, currency)
            return {"unit_amount_decimal": price, "recurring": {"interval": "month"}}
        case PerUnitCharge() if not charge.included:
            return {"unit_amount_decimal": in_minor_units(charge.price, charge.unit_size, currency)}
        case PerUnitCharge():
            tiers: Sequence[Tier] = [Tier(up_to=None, price=charge.price)]
        case _:
            tiers = charge.tiers
    return {
        "billing_scheme": "tiered",
        "tiers_mode": "volume" if isinstance(charge, VolumeCharge) else "graduated",
        "tiers": _tiers(tiers, charge.included, charge.unit_size, currency),
    }


def _tiers(tiers: Sequence[Tier], included: Decimal, unit_size: int, currency: str) -> list[Form]:
    """Return tiers whose bounds count the included units too, which are the first tier, free."""
    forms: list[Form] = []
    if included:
        forms.append({"up_to": int(included), "unit_amount_decimal": ZERO})
    forms += [
        {
            "up_to": "inf" if tier.up_to is None else int(tier.up_to + included),
            "unit_amount_decimal": in_minor_units(tier.price, unit_size, currency),
            "flat_amount_decimal": in_minor_units(tier.flat_fee, 1, currency)
            if tier.flat_fee
            else None,
        }
        for tier in tiers
    ]
    return forms
