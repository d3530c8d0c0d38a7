"""Metrics, plans and subscriptions, and what Orb would ask for by them."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from tests.support.orb.objects import NOT_THERE, Object, OrbError, iso, listed, plain, when
from tests.support.orb.usage import Usage


class Plans(Usage):
    """Keeps plans, and rates usage by their prices as Orb's description says."""

    def post_metrics(self, body: Object, query: Object, now: datetime) -> Object:
        return self.add("metric", now, **body, status="active", item=self.find(body["item_id"]))

    def get_metrics(self, body: Object, query: Object, now: datetime) -> Object:
        return listed(self.all("metric"), query)

    def post_plans(self, body: Object, query: Object, now: datetime) -> Object:
        prices = [price["price"] for price in body["prices"]]
        for price in prices:
            self.find(price["item_id"])
            if "billable_metric_id" in price:
                self.find(price["billable_metric_id"])
        values = {**body, "prices": prices, "version": 1, "status": "active"}
        return self.add("plan", now, **values)

    def get_plans_external_plan_id(
        self, body: Object, query: Object, now: datetime, alias: str
    ) -> Object:
        for plan in reversed(self.all("plan")):
            if plan["external_plan_id"] == alias:
                return plan
        raise OrbError(f"Could not find a plan with the external id {alias}.", NOT_THERE)

    def post_subscriptions(self, body: Object, query: Object, now: datetime) -> Object:
        plan, customer = self.find(body["plan_id"]), self.find(body["customer_id"])
        if customer["currency"] not in {None, plan["currency"]}:
            raise OrbError("The customer is billed in another currency.")
        return self.add(
            "subscription",
            now,
            **body,
            plan=plan,
            customer=customer,
            status="active",
            end_date=None,
            **body["billing_cycle_anchor_configuration"],
        )

    def get_subscriptions(
        self, body: Object, query: Object, now: datetime, item_id: str | None = None
    ) -> Object:
        if item_id is not None:
            return self.find(item_id)
        customers = query.get("customer_id[]")
        subscriptions = [
            subscription
            for subscription in self.all("subscription")
            if customers is None or subscription["customer_id"] in customers
        ]
        return listed(subscriptions, query)

    def post_subscriptions_cancel(
        self, body: Object, query: Object, now: datetime, item_id: str
    ) -> Object:
        subscription = self.find(item_id)
        if subscription["end_date"] is not None:
            raise OrbError("The subscription is cancelled already.")
        subscription["end_date"] = body["cancellation_date"]
        return subscription

    def invoice_period(
        self, subscription: Object, start: datetime, end: datetime, now: datetime
    ) -> Object:
        """A subscription's period is over, and is invoiced: each price is a line, rounded."""
        lines = []
        for price in subscription["plan"]["prices"]:
            quantity = Decimal(price.get("fixed_price_quantity", 0))
            if "billable_metric_id" in price:
                sql = self.find(price["billable_metric_id"])["sql"]
                events = self.counted(subscription["customer_id"], sql, start, end)
                values = [Decimal(str(event["properties"]["quantity"])) for event in events]
                quantity = sum(values, Decimal(0))
            amount = rated(price, quantity).quantize(Decimal("0.01"), ROUND_HALF_UP)
            line = {"name": price["name"], "item_id": price["item_id"], "quantity": 1}
            config = {"unit_amount": plain(amount)}
            dates = {"start_date": f"{start:%Y-%m-%d}", "end_date": f"{end:%Y-%m-%d}"}
            lines.append({**line, **dates, "unit_config": config})
        assert when(subscription["start_date"]) <= start
        body = {
            "customer_id": subscription["customer_id"],
            "currency": subscription["plan"]["currency"],
            "invoice_date": iso(end),
            "line_items": lines,
        }
        invoice = self.post_invoices(body, {}, now)
        invoice["invoice_source"] = "subscription"
        for line in invoice["line_items"]:
            line |= {"start_date": iso(start), "end_date": iso(end)}
            self.draw(invoice, line, now)
        self.retotal(invoice)
        return self.issue(invoice, now)


def rated(price: Object, quantity: Decimal) -> Decimal:
    """What a price asks for so many units."""
    match price["model_type"]:
        case "unit":
            return quantity * Decimal(price["unit_config"]["unit_amount"])
        case "bulk":
            tiers = price["bulk_config"]["tiers"]
            reached = next(
                tier
                for tier in tiers
                if tier["maximum_units"] is None or quantity <= Decimal(str(tier["maximum_units"]))
            )
            return quantity * Decimal(reached["unit_amount"])
    total = Decimal(0)
    for tier in price["tiered_config"]["tiers"]:
        first = Decimal(str(tier["first_unit"]))
        last = quantity if tier["last_unit"] is None else Decimal(str(tier["last_unit"]))
        total += max(min(quantity, last) - first, Decimal(0)) * Decimal(tier["unit_amount"])
    return total
