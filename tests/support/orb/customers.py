"""Customers, and the items that everything on an invoice is of."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.support.orb.objects import DUPLICATE, NOT_THERE, Object, OrbError, Store, iso, listed


class Customers(Store):
    """Keeps customers and items."""

    def post_customers(self, body: Object, query: Object, now: datetime) -> Object:
        alias = body.get("external_customer_id")
        if alias and any(other["external_customer_id"] == alias for other in self.all("customer")):
            raise OrbError(f"A customer with the external id {alias} exists.", DUPLICATE)
        values = {
            "external_customer_id": None,
            "timezone": "UTC",
            "currency": None,
            "payment_provider": None,
            "payment_provider_id": None,
            "default_payment_method": None,
            "shipping_address": None,
            "billing_address": None,
            "balance": "0.00",
            "tax_id": None,
            "auto_collection": True,
            "auto_issuance": None,
            "email_delivery": True,
            "exempt_from_automated_tax": None,
            "additional_emails": [],
            "portal_url": None,
            "hierarchy": {"parent": None, "children": []},
        }
        return self.add("customer", now, **values | body)

    def put_customers(self, body: Object, query: Object, now: datetime, item_id: str) -> Object:
        customer = self.find(item_id)
        if body.get("currency") not in {None, customer["currency"]}:
            raise OrbError("The currency of a customer can't be changed.")
        customer |= body
        return customer

    def get_customers(self, body: Object, query: Object, now: datetime, item_id: str) -> Object:
        return self.find(item_id)

    def get_customers_external_customer_id(
        self, body: Object, query: Object, now: datetime, alias: str
    ) -> Object:
        for customer in self.all("customer"):
            if customer["external_customer_id"] == alias:
                return customer
        raise OrbError(f"Could not find a customer with the external id {alias}.", NOT_THERE)

    def post_customers_portal_sessions(
        self, body: Object, query: Object, now: datetime, item_id: str
    ) -> Object:
        session = self.add("session", now, customer_id=self.find(item_id)["id"])
        session["expires_at"] = iso(now + timedelta(hours=1))
        session["url"] = f"https://portal.withorb.example/{session['id']}"
        return session

    def post_items(self, body: Object, query: Object, now: datetime) -> Object:
        return self.add("item", now, external_connections=[], archived_at=None, **body)

    def get_items(
        self, body: Object, query: Object, now: datetime, item_id: str | None = None
    ) -> Object:
        return listed(self.all("item"), query) if item_id is None else self.find(item_id)
