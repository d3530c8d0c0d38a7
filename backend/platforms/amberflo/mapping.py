"""Ours as Amberflo's: customers, meters, prices and plans, each under an id of ours. Pure.

One meter there adds up one of our meters for one model. A plan there is a version of ours in a
currency; it is made once, and locked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

from backend.platforms.amberflo.numbers import to_number
from backend.platforms.documents import Customer, PlanDocument, TopUpDocument
from backend_client.types.charges import FlatCharge, GraduatedCharge, PerUnitCharge, Tier

Json = dict[str, Any]
Priced = PerUnitCharge | GraduatedCharge

PRODUCT: Final = "1"
"""The product that every account has."""
_LONGEST: Final = 60
_OWNED_BY_AMBERFLO: Final = frozenset({"createTime", "updateTime", "id"})


def customer_payload(customer: Customer) -> Json:
    """Return a customer; its id there is the tenant's."""
    payload: Json = {
        "customerId": customer.tenant_id,
        "customerName": customer.name,
        "enabled": True,
        "traits": {"farebox_tenant": customer.tenant_id},
    }
    if customer.email:
        payload["customerEmail"] = customer.email
    return payload


def merged_customer(there: Mapping[str, Any], payload: Json) -> Json:
    """Return a customer with our details, and all else as it is: an update replaces the whole.

    A trait ties a customer to Stripe, for one.
    """
    kept = {name: value for name, value in there.items() if name not in _OWNED_BY_AMBERFLO}
    traits = {**(there.get("traits") or {}), **payload["traits"]}
    return {**kept, **payload, "traits": traits}


def meter_name(meter: str, model: str) -> str:
    """Return the name of Amberflo's meter for one of ours; two never have the same."""
    name = f"fb-{meter}-{model}"  # meters have no hyphen, so it is clear where the model begins
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    if plain == name and len(plain) <= _LONGEST:
        return plain
    digest = blake2b(f"{meter}\0{model}".encode(), digest_size=5).hexdigest()
    return f"{plain[:_LONGEST]}-{digest}"


def meter_payload(meter: str, model: str) -> Json:
    """Return a meter that sums, active at once; what it is priced as is made beside it."""
    return {
        "meterApiName": meter_name(meter, model),
        "label": f"{meter} of {model}",
        "meterType": "sum_of_all_usage",
        "dimensions": [],
        "aggregationDimensions": [],
        "useInBilling": False,
        "lockingStatus": "close_to_changes",
    }


def plan_id(plan: PlanDocument) -> str:
    """Return the id of a plan's version in a currency."""
    return f"fb-{plan.id}-{plan.version}-{plan.currency.lower()}"


def item_payload(meter: str, model: str) -> Json:
    """Return what a meter is sold as."""
    name = meter_name(meter, model)
    return {
        "id": name,
        "productId": PRODUCT,
        "meterApiName": name,
        "productItemName": f"{meter} of {model}",
        "lockingStatus": "open",
    }


def price_payload(plan: PlanDocument, charge: Priced) -> Json:
    """Return how a charge is priced: by tiers, in batches of the charge's unit size."""
    return {
        "id": f"{plan_id(plan)}--{charge.id}",
        "productItemId": _item_of(charge),
        "productItemPriceName": charge.name,
        "lockingStatus": "open",
        "price": {
            "type": "PricePerUnitLeafNode",
            "tiers": _tiers(charge),
            "allowPartialBatch": True,
        },
    }


def priced_charges(plan: PlanDocument) -> list[Priced]:
    """Return the charges on usage; others than these are kept off Amberflo by ``fits``."""
    return [charge for charge in plan.charges if isinstance(charge, Priced)]


def plan_payload(plan: PlanDocument, *, locked: bool) -> Json:
    """Return a plan: prices by what is sold, and monthly fees."""
    fees = [charge for charge in plan.charges if isinstance(charge, FlatCharge)]
    priced = priced_charges(plan)
    return {
        "id": plan_id(plan),
        "productId": PRODUCT,
        "productPlanName": f"{plan.id} {plan.version} {plan.currency}",
        "description": "Made by Farebox",
        "billingPeriod": {"interval": "month", "intervalsCount": 1},
        "productItemPriceIdsMap": {
            _item_of(charge): f"{plan_id(plan)}--{charge.id}" for charge in priced
        },
        "feeMap": {
            fee.id: {
                "id": fee.id,
                "name": fee.name,
                "description": fee.name,
                "cost": to_number(fee.price),
                "isOneTimeFee": False,
            }
            for fee in fees
        },
        "isDefault": False,
        "lockingStatus": "close_to_changes" if locked else "open",
    }


def assignment_payload(
    customer: str, plan: str, starts_at: datetime, ends_at: datetime | None = None
) -> Json:
    """Return that a customer is on a plan from then, and until then."""
    payload: Json = {
        "customerId": customer,
        "productId": PRODUCT,
        "productPlanId": plan,
        "startTimeInSeconds": int(starts_at.timestamp()),
    }
    if ends_at is not None:
        payload["endTimeInSeconds"] = int(ends_at.timestamp())
    return payload


def order_payload(top_up: TopUpDocument, customer: str, at: datetime) -> Json:
    """Return an order of credit, worth what it costs, which Amberflo collects."""
    amount = to_number(top_up.amount)
    return {
        "id": top_up.id,
        "customerId": customer,
        "productId": PRODUCT,
        "startTimeInSeconds": int(at.timestamp()),
        "prepaidOfferVersion": -1,
        "prepaidPrice": amount,
        "originalWorth": amount,
        "externalPayment": False,
    }


def sessions_payload(customer: str, back: str, until: datetime) -> Json:
    """Return a visit to Amberflo's pages for a customer."""
    return {
        "customerId": customer,
        "returnUrl": back,
        "expirationEpochMilliSeconds": int(until.timestamp() * 1000),
    }


def usage_query(customer: str, meter: str, start: datetime, end: datetime) -> Json:
    """Return the question for a meter's hourly sums of one customer."""
    return {
        "aggregation": "SUM",
        "meterApiName": meter,
        "timeGroupingInterval": "HOUR",
        "timeRange": {
            "startTimeInSeconds": int(start.timestamp()),
            "endTimeInSeconds": int(end.timestamp()),
        },
        "filter": {"customerId": [customer]},
    }


def starts_a_day(at: datetime) -> bool:
    """Return whether Amberflo can begin an invoice then: invoices there are named by days."""
    utc = at.astimezone(UTC)
    return (utc.hour, utc.minute, utc.second, utc.microsecond) == (0, 0, 0, 0)


def _item_of(charge: Priced) -> str:
    return meter_name(charge.meters[0], (charge.models or [""])[0])


def _tiers(charge: Priced) -> list[Json]:
    """Return tiers by where they start; the included units are the first one, free."""
    graduated: Sequence[Tier] = (
        [Tier(up_to=None, price=charge.price)]
        if isinstance(charge, PerUnitCharge)
        else charge.tiers
    )
    tiers = [_tier(Decimal(0), charge.unit_size, Decimal(0))] if charge.included else []
    start = charge.included
    for tier in graduated:
        tiers.append(_tier(start, charge.unit_size, tier.price))
        start = charge.included + (tier.up_to or 0)
    return tiers


def _tier(start: Decimal, unit_size: int, price: Decimal) -> Json:
    return {
        "startAfterUnit": int(start),
        "batchSize": unit_size,
        "pricePerBatch": to_number(price),
    }
