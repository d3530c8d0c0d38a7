"""Customers and their invoices: drafts, lines, totals, and how an invoice ends."""

from __future__ import annotations

from datetime import datetime

from tests.support.stripe.objects import Object, StripeError, change, page
from tests.support.stripe.payments import Payments

MOST_LINES = 250
LEAST_CHARGE = 50
"""Of a currency's minor unit: less is not charged, but owed with the next invoice."""


class Invoices(Payments):
    """Keeps invoices; ``pay`` and ``fail`` are what customers and banks do."""

    def _post_customers(self, values: Object, now: datetime, item_id: str = "") -> Object:
        if item_id:
            return change(self.find(item_id), values)
        settings = values.pop("invoice_settings", {})
        return self.add("cus", "customer", now, **values, balance=0, invoice_settings=settings)

    def _get_customers_search(self, values: Object, now: datetime) -> Object:
        terms = [part.split("'") for part in values["query"].split(" AND ")]
        wanted = {term[1]: term[3] for term in terms}
        matches = [
            customer
            for customer in self.all("customer")
            if all(customer["metadata"].get(name) == value for name, value in wanted.items())
        ]
        return {"object": "search_result", "data": matches, "has_more": False, "url": "/v1"}

    def _post_invoices(self, values: Object, now: datetime, item_id: str = "") -> Object:
        if item_id:
            return change(self.find(item_id), values)
        customer = self.find(values["customer"])
        number = values.get("number")
        if number and any(other.get("number") == number for other in self.all("invoice")):
            raise StripeError(f"The invoice number {number} is used already")
        if customer.get("currency", values["currency"]) != values["currency"]:
            raise StripeError("You cannot combine currencies on a single customer")
        customer["currency"] = values["currency"]
        invoice = self.add(
            "in",
            "invoice",
            now,
            **values,
            status="draft",
            lines={"object": "list", "data": [], "has_more": False, "url": "/v1"},
            attempt_count=0,
            attempted=False,
            amount_paid=0,
            starting_balance=customer["balance"],
        )
        return _totalled(invoice)

    def _post_invoices_add_lines(self, values: Object, now: datetime, invoice_id: str) -> Object:
        invoice = self.find(invoice_id)
        if invoice["status"] != "draft":
            raise StripeError("Invoice is already finalized; its lines can't be changed")
        lines = invoice["lines"]["data"]
        if len(lines) + len(values["lines"]) > MOST_LINES:
            raise StripeError(f"An invoice has at most {MOST_LINES} lines")
        for line in values["lines"]:
            line_id = f"il_{next(self.numbers):06d}"
            lines.append(_line(line_id, invoice, line))
        return _totalled(invoice)

    def _get_invoices_lines(self, values: Object, now: datetime, invoice_id: str) -> Object:
        return page(self.find(invoice_id)["lines"]["data"], values)

    def _delete_invoices(self, values: Object, now: datetime, invoice_id: str) -> Object:
        if self.find(invoice_id)["status"] != "draft":
            raise StripeError("Only drafts can be deleted")
        del self.objects[invoice_id]
        return {"id": invoice_id, "object": "invoice", "deleted": True}

    def _post_invoices_finalize(self, values: Object, now: datetime, invoice_id: str) -> Object:
        invoice = self.find(invoice_id)
        if invoice["status"] != "draft":
            raise StripeError("This invoice is already finalized", "invoice_not_editable")
        invoice.setdefault("number", f"SAMPLE-{invoice_id[-4:]}")
        invoice["auto_advance"] = values.get("auto_advance", False)
        invoice["hosted_invoice_url"] = f"https://invoice.stripe.example/{invoice_id}"
        invoice["invoice_pdf"] = f"https://invoice.stripe.example/{invoice_id}.pdf"
        invoice["status"] = "open"
        self.happen("invoice.finalized", invoice, now)
        small = 0 < invoice["total"] < LEAST_CHARGE
        if small:
            self.find(invoice["customer"])["balance"] += invoice["total"]
        if invoice["total"] == 0 or small:
            invoice |= {"status": "paid", "amount_due": 0, "amount_remaining": 0}
            self.happen("invoice.paid", invoice, now)
        else:
            intent = self.add(
                "pi",
                "payment_intent",
                now,
                amount=invoice["amount_remaining"],
                currency=invoice["currency"],
                status="requires_payment_method",
                customer=invoice["customer"],
            )
            self.add(
                "inpay",
                "invoice_payment",
                now,
                invoice=invoice_id,
                status="open",
                is_default=True,
                currency=invoice["currency"],
                amount_paid=0,
                amount_requested=invoice["amount_remaining"],
                status_transitions={},
                payment={"type": "payment_intent", "payment_intent": intent["id"]},
            )
        return invoice

    def _post_invoices_pay(self, values: Object, now: datetime, invoice_id: str) -> Object:
        invoice = self._open(invoice_id)
        if values.get("paid_out_of_band"):
            return self._settle(invoice, invoice["amount_remaining"], now)
        method = self.find(invoice["customer"])["invoice_settings"].get("default_payment_method")
        if method is None:
            raise StripeError("There is no default payment method", "invoice_payment_failed")
        self.pay(invoice_id, now)
        return invoice

    def _post_payment_records_report_payment(self, values: Object, now: datetime) -> Object:
        return self.add("pr", "payment_record", now, **values)

    def _post_invoices_attach_payment(
        self, values: Object, now: datetime, invoice_id: str
    ) -> Object:
        invoice = self._open(invoice_id)
        amount = self.find(values["payment_record"])["amount_requested"]["value"]
        if amount > invoice["amount_remaining"]:
            raise StripeError("The payment is more than is due")
        self.add(
            "inpay",
            "invoice_payment",
            now,
            invoice=invoice_id,
            status="paid",
            is_default=False,
            currency=invoice["currency"],
            amount_paid=amount,
            amount_requested=amount,
            status_transitions={"paid_at": int(now.timestamp())},
            payment={"type": "payment_record", "payment_record": values["payment_record"]},
        )
        return self._settle(invoice, amount, now)

    def _post_invoices_void(self, values: Object, now: datetime, invoice_id: str) -> Object:
        invoice = self._open(invoice_id)
        invoice |= {"status": "void", "amount_remaining": 0}
        self.happen("invoice.voided", invoice, now)
        return invoice

    def _post_invoices_mark_uncollectible(
        self, values: Object, now: datetime, invoice_id: str
    ) -> Object:
        invoice = self._open(invoice_id)
        invoice["status"] = "uncollectible"
        self.happen("invoice.marked_uncollectible", invoice, now)
        return invoice

    def _get_invoice_payments(self, values: Object, now: datetime) -> Object:
        payment = values.get("payment", {}).get("payment_intent")
        return page(
            [
                item
                for item in self.all("invoice_payment")
                if values.get("invoice", item["invoice"]) == item["invoice"]
                and values.get("status", item["status"]) == item["status"]
                and (payment is None or item["payment"].get("payment_intent") == payment)
            ],
            values,
        )

    def pay(self, invoice_id: str, now: datetime) -> Object:
        """A customer pays an invoice; returns the charge."""
        invoice = self._open(invoice_id)
        payment = next(
            item
            for item in self.all("invoice_payment")
            if item["invoice"] == invoice_id and item["is_default"]
        )
        amount = invoice["amount_remaining"]
        intent = self.find(payment["payment"]["payment_intent"])
        charge = self.charge(intent, amount, now)
        payment |= {
            "status": "paid",
            "amount_paid": amount,
            "status_transitions": {"paid_at": int(now.timestamp())},
        }
        self._settle(invoice, amount, now)
        return charge

    def fail(self, invoice_id: str, now: datetime) -> Object:
        """The charge of an invoice fails."""
        invoice = self._open(invoice_id)
        invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1}
        return self.happen("invoice.payment_failed", invoice, now)

    def _open(self, invoice_id: str) -> Object:
        invoice = self.find(invoice_id)
        if invoice["status"] not in {"open", "uncollectible"}:
            raise StripeError(f"The invoice is {invoice['status']}, not open")
        return invoice

    def _settle(self, invoice: Object, amount: int, now: datetime) -> Object:
        invoice["amount_paid"] += amount
        invoice["amount_remaining"] -= amount
        if invoice["amount_remaining"] == 0:
            invoice["status"] = "paid"
            self.happen("invoice.paid", invoice, now)
        return invoice


def _line(line_id: str, invoice: Object, values: Object) -> Object:
    taxes = []
    for tax in values.pop("tax_amounts", []):
        rate = tax["tax_rate_data"]
        taxes.append(
            {
                "amount": tax["amount"],
                "taxable_amount": tax["taxable_amount"],
                "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
                "taxability_reason": "standard_rated",
                "type": "tax_rate_details",
                "tax_rate_details": {
                    "tax_rate": f"txr_{rate['display_name']}_{rate['percentage']}".replace(" ", "")
                },
            }
        )
    return {
        "id": line_id,
        "object": "line_item",
        "invoice": invoice["id"],
        "currency": invoice["currency"],
        "livemode": False,
        "discounts": [],
        "metadata": {},
        "subtotal": values["amount"],
        "taxes": taxes,
        **values,
    }


def _totalled(invoice: Object) -> Object:
    lines = invoice["lines"]["data"]
    taxes: dict[str, Object] = {}
    for line in lines:
        for tax in line["taxes"]:
            rate = tax["tax_rate_details"]["tax_rate"]
            total = taxes.setdefault(rate, {**tax, "amount": 0, "taxable_amount": 0})
            total["amount"] += tax["amount"]
            total["taxable_amount"] += tax["taxable_amount"]
    subtotal = sum(line["amount"] for line in lines)
    on_top = sum(tax["amount"] for tax in taxes.values() if tax["tax_behavior"] == "exclusive")
    total = subtotal + on_top
    invoice |= {
        "subtotal": subtotal,
        "total": total,
        "total_taxes": list(taxes.values()),
        "amount_due": total,
        "amount_remaining": total,
    }
    return invoice
