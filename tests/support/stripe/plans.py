"""Plans: prices, subscriptions to them, and what Stripe asks for by these."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from tests.support.stripe.objects import Object, StripeError, change
from tests.support.stripe.usage import Usage


class Plans(Usage):
    """Keeps prices and subscriptions. ``billed`` is what its own invoices come to."""

    def _post_products(self, values: Object, now: datetime) -> Object:
        return self.add("prod", "product", now, **values)

    def _post_prices(self, values: Object, now: datetime) -> Object:
        return self.add("price", "price", now, **values)

    def _post_subscriptions(self, values: Object, now: datetime, item_id: str = "") -> Object:
        if not item_id:
            return self.add("sub", "subscription", now, **values, status="active")
        subscription = self.find(item_id)
        if subscription["status"] == "canceled":
            raise StripeError("A canceled subscription can't be changed")
        if values.get("cancel_at", 0) and values["cancel_at"] <= now.timestamp():
            raise StripeError("cancel_at must be in the future")
        return change(subscription, values)

    def _delete_subscriptions(self, values: Object, now: datetime, item_id: str) -> Object:
        ended = {"status": "canceled", "canceled_at": int(now.timestamp())}
        return change(self.find(item_id), ended)

    def billed(self, until: datetime) -> dict[datetime, int]:
        """What the invoices of subscriptions ask for, by the period's start, in minor units."""
        sums: dict[datetime, int] = {}
        for subscription in self.all("subscription"):
            prices = [self.find(item["price"]) for item in subscription["items"]]
            for start, end, share in _periods(subscription, until):
                lines = (self._line_of(subscription, price, start, end, share) for price in prices)
                sums[start] = sums.get(start, 0) + sum(lines)
        return sums

    def _line_of(
        self, subscription: Object, price: Object, start: datetime, end: datetime, share: Decimal
    ) -> int:
        if price["recurring"].get("usage_type") != "metered":
            return _rounded(Decimal(price["unit_amount_decimal"]) * share)
        meter = self.find(price["recurring"]["meter"])
        quantity = sum(
            (
                Decimal(event["payload"]["value"])
                for event in self.counted(meter, subscription["customer"])
                if start <= event["at"] < end
            ),
            Decimal(0),
        )
        if price.get("billing_scheme") != "tiered":
            return _rounded(quantity * Decimal(price["unit_amount_decimal"]))
        assert price["tiers_mode"] == "graduated"
        amount, reached = Decimal(0), Decimal(0)
        for tier in price["tiers"]:
            most = quantity if tier["up_to"] == "inf" else min(quantity, Decimal(tier["up_to"]))
            if most > reached:
                amount += (most - reached) * Decimal(tier["unit_amount_decimal"])
                amount += Decimal(tier.get("flat_amount_decimal", 0))
                reached = most
        return _rounded(amount)


def _periods(subscription: Object, until: datetime) -> Iterator[tuple[datetime, datetime, Decimal]]:
    """Each period that began, and what share of a whole one it is."""
    start = datetime.fromtimestamp(subscription["backdate_start_date"], UTC)
    renews = datetime.fromtimestamp(subscription["billing_cycle_anchor"], UTC)
    over = subscription.get("canceled_at") or subscription.get("cancel_at")
    end = until if over is None else min(until, datetime.fromtimestamp(over, UTC))
    whole = renews - _months(renews, -1)
    while start < end:
        yield (
            start,
            min(renews, end),
            Decimal((renews - start).total_seconds()) / Decimal(whole.total_seconds()),
        )
        start, renews = renews, _months(renews, 1)
        whole = renews - start


def _months(at: datetime, count: int) -> datetime:
    months = at.year * 12 + at.month - 1 + count
    return at.replace(year=months // 12, month=months % 12 + 1)


def _rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
