"""What Amberflo keeps: customers, meters, prices, plans, orders; and what each request does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.support.amberflo.events import Events
from tests.support.amberflo.invoicing import Invoicing
from tests.support.amberflo.shapes import Fault

_ACCOUNT = "/payments/pricing/amberflo/account-pricing"
_PLANS = f"{_ACCOUNT}/product-plans"
_PRICING = "/payments/pricing/amberflo/customer-pricing"
_PREPAID = "/payments/pricing/amberflo/customer-prepaid"
_INVOICE = "/payments/billing/customer-product-invoice"


@dataclass
class Books:
    """An account. What is asked for and is not there is empty, as it is with Amberflo."""

    events: Events = field(default_factory=Events)
    customers: dict[str, dict[str, Any]] = field(default_factory=dict)
    meters: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.invoicing = Invoicing(self.events)

    def do(self, operation: str, query: dict[str, str], body: Any, now: datetime) -> Any:
        invoicing = self.invoicing
        match operation.split(" "):
            case ["POST", "/ingest/"]:
                return self.events.ingest(body, now)
            case ["POST", "/usage/"]:
                return self.events.report(body, now)
            case ["GET", "/usage/events"]:
                return self.events.raw(query)
            case [method, "/customers/"]:
                return self._customer(method, query, body, now)
            case ["GET", "/meters"]:
                return [of for name, of in self.meters.items() if query["meterApiName"] == name]
            case ["POST", "/meters"]:
                return self._meter(body)
            case ["POST", path] if path == f"{_ACCOUNT}/product-items":
                return self._kept(invoicing.items, body)
            case ["POST", path] if path == f"{_ACCOUNT}/product-item-price":
                return self._price(body)
            case ["GET", path] if path == _PLANS:
                return invoicing.plans.get(query["productPlanId"])
            case ["POST", path] if path == _PLANS:
                return self._plan(body)
            case ["GET", path] if path == f"{_PRICING}/list":
                return self._of_customer(invoicing.assignments, query["CustomerId"])
            case ["POST", path] if path == _PRICING:
                return self._assign(body)
            case ["GET", path] if path == f"{_PREPAID}/list":
                return self._of_customer([*invoicing.orders.values()], query["CustomerId"])
            case ["POST", path] if path == _PREPAID:
                return self._order(body)
            case ["GET", path] if path == f"{_INVOICE}/all":
                return invoicing.of(query["customerId"], now)
            case ["GET", path] if path == _INVOICE:
                return self._invoice(query, now)
            case ["POST", "/session"]:
                self._known_customer(body)
                return {"url": f"https://portal.amberflo.test/{body['customerId']}"}
            case _:
                raise Fault(f"No route for {operation}", 405)

    def settle(self, order_id: str, payment: str = "settled") -> None:
        """Have an order's payment end."""
        self.invoicing.orders[order_id] |= {"paymentStatus": payment, "paymentId": "pay_1"}

    def _customer(self, method: str, query: dict[str, str], body: Any, now: datetime) -> Any:
        if method == "GET":
            return self.customers.get(query["customerId"], {})
        customer_id = body["customerId"]
        if method == "POST" and customer_id in self.customers:
            raise Fault(f"Customer {customer_id} already exists")
        if method == "PUT" and customer_id not in self.customers:
            raise Fault(f"Customer {customer_id} does not exist")
        millis = int(now.timestamp() * 1000)
        before = self.customers.get(customer_id, {"createTime": millis})
        # The whole customer is replaced: what is not sent is gone
        self.customers[customer_id] = {
            **body,
            "createTime": before["createTime"],
            "updateTime": millis,
        }
        return self.customers[customer_id]

    def _meter(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body["meterApiName"]
        if name in self.meters:
            raise Fault(f"Meter already exists with meterApiName: {name}")
        self.meters[name] = {**body, "id": f"meter-{len(self.meters) + 1}"}
        return self.meters[name]

    def _price(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["productItemId"] not in self.invoicing.items:
            raise Fault(f"Product item {body['productItemId']} does not exist")
        return self._kept(self.invoicing.prices, body)

    def _plan(self, body: dict[str, Any]) -> dict[str, Any]:
        invoicing = self.invoicing
        for item, price in body["productItemPriceIdsMap"].items():
            if item not in invoicing.items or price not in invoicing.prices:
                raise Fault(f"Product item price {price} does not exist")
        before = invoicing.plans.get(body["id"])
        if before is not None and before["lockingStatus"] == "close_to_changes":
            raise Fault("'lockingStatus' close_to_changes prevents the plan from being changed")
        return self._kept(invoicing.plans, body)

    def _kept(self, kind: dict[str, dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
        kind[body["id"]] = body
        return body

    def _assign(self, body: dict[str, Any]) -> dict[str, Any]:
        self._known_customer(body)
        plan = self.invoicing.plans.get(body["productPlanId"])
        if plan is None or plan["lockingStatus"] == "open":
            raise Fault(f"Product plan {body['productPlanId']} is not active")
        for before in self.invoicing.assignments:
            if before["relationId"] == body.get("relationId"):
                before |= body
                return before
        relation = {"relationId": f"relation-{len(self.invoicing.assignments) + 1}"}
        self.invoicing.assignments.append({**body, **relation})
        return self.invoicing.assignments[-1]

    def _order(self, body: dict[str, Any]) -> dict[str, Any]:
        self._known_customer(body)
        if body["id"] in self.invoicing.orders:
            raise Fault(f"Prepaid order {body['id']} already exists")
        payment = "requires_action" if body["externalPayment"] else "pending"
        return self._kept(self.invoicing.orders, {**body, "paymentStatus": payment})

    def _invoice(self, query: dict[str, str], now: datetime) -> dict[str, Any] | None:
        invoices = self.invoicing.of(query["customerId"], now)
        if query.get("latest", "").lower() == "true":
            return invoices[-1] if invoices else None
        asked = tuple(str(query[name]) for name in ("productPlanId", "year", "month", "day"))
        for invoice in invoices:
            key = invoice["invoiceKey"]
            named = tuple(str(key[name]) for name in ("productPlanId", "year", "month", "day"))
            if named == asked:
                return invoice
        return None

    def _of_customer(self, kept: list[dict[str, Any]], customer: str) -> list[dict[str, Any]]:
        return [of for of in kept if of["customerId"] == customer]

    def _known_customer(self, body: dict[str, Any]) -> None:
        if body["customerId"] not in self.customers:
            raise Fault(f"Customer {body['customerId']} does not exist")
