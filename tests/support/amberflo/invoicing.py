"""Invoices as Amberflo computes them: a plan's prices and fees over a customer's usage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.amberflo.events import Events

GRACE = timedelta(hours=24)


@dataclass
class Invoicing:
    """``edited``: amounts that somebody added by hand, ``payments``: how each was paid, by its
    address. Credit is drawn from orders that are settled, the first one first."""

    events: Events
    prices: dict[str, dict[str, Any]] = field(default_factory=dict)
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    plans: dict[str, dict[str, Any]] = field(default_factory=dict)
    assignments: list[dict[str, Any]] = field(default_factory=list)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    edited: dict[str, float] = field(default_factory=dict)
    payments: dict[str, str] = field(default_factory=dict)

    def of(self, customer: str, now: datetime) -> list[dict[str, Any]]:
        """A customer's invoices until now, the oldest first."""
        credit = sum(
            order["originalWorth"]
            for order in self.orders.values()
            if (order["customerId"], order["paymentStatus"]) == (customer, "settled")
        )
        invoices = []
        for assigned in self.assignments:
            if assigned["customerId"] != customer:
                continue
            for start, end in _months(assigned, now):
                invoice = self._invoice(assigned, start, end, now, credit)
                credit -= invoice["totalBill"]["prepaid"]
                invoices.append(invoice)
        return sorted(invoices, key=lambda of: of["invoiceStartTimeInSeconds"])

    def _invoice(
        self, assigned: dict[str, Any], start: datetime, end: datetime, now: datetime, credit: float
    ) -> dict[str, Any]:
        plan = self.plans[assigned["productPlanId"]]
        locked = now >= end + GRACE
        status = "price_locked" if locked else "grace_period" if now >= end else "open"
        at = end + GRACE if locked else None
        key = {
            "accountId": "1",
            "customerId": assigned["customerId"],
            "productId": assigned["productId"],
            "productPlanId": plan["id"],
            "year": start.year,
            "month": start.month,
            "day": start.day,
        }
        uri = (
            f"payments/invoices/account_id=1/customer_id={key['customerId']}"
            f"/product_id={key['productId']}/product_plan_id={plan['id']}"
            f"/year={start:%Y}/month={start:%m}/day={start:%d}"
        )
        items, usage = [], 0.0
        for item_id, price_id in plan["productItemPriceIdsMap"].items():
            meter = self.items[item_id]["meterApiName"]
            seconds = (start.timestamp(), end.timestamp())
            units = self.events.total(meter, key["customerId"], *seconds, at)
            price = _price(self.prices[price_id]["price"], units)
            usage += price
            items.append(
                {"meterApiName": meter, "totalBill": {"meterUnits": units, "price": price}}
            )
        fees = sum(float(fee["cost"]) for fee in plan.get("feeMap", {}).values())
        total = usage + fees + self.edited.get(uri, 0.0)
        prepaid = min(credit, total) if locked else 0.0
        unpaid = "pending" if total > prepaid else "not_needed"
        return {
            "invoiceUri": uri,
            "invoiceKey": key,
            "planName": plan["productPlanName"],
            "planBillingPeriod": plan["billingPeriod"],
            "invoiceStartTimeInSeconds": int(start.timestamp()),
            "invoiceEndTimeInSeconds": int(end.timestamp()),
            "gracePeriodInHours": 24,
            "productItemInvoices": items,
            "totalBill": {
                "itemPrice": usage,
                "fixPrice": fees,
                "prepaid": prepaid,
                "totalDiscount": 0.0,
                "totalPriceBeforeDiscount": total,
                "totalPriceBeforePrepaid": total,
                "totalPrice": total - prepaid,
            },
            "invoicePriceStatus": status,
            "paymentStatus": self.payments.get(uri, unpaid if locked else "pre_payment"),
        }


def _months(assigned: dict[str, Any], now: datetime) -> Iterator[tuple[datetime, datetime]]:
    start = datetime.fromtimestamp(assigned["startTimeInSeconds"], UTC)
    ends = assigned.get("endTimeInSeconds")
    until = now if ends is None else min(now, datetime.fromtimestamp(ends, UTC))
    while start < until:
        month = start.month % 12 + 1
        end = start.replace(year=start.year + (month == 1), month=month)
        yield start, end
        start = end


def _price(price: dict[str, Any], units: float) -> float:
    tiers, total = price["tiers"], 0.0
    for tier, following in zip(tiers, [*tiers[1:], None], strict=True):
        most = units if following is None else min(units, following["startAfterUnit"])
        within = max(0.0, most - tier["startAfterUnit"])
        total += within / tier["batchSize"] * tier["pricePerBatch"]
    return total
