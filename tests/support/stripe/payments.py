"""Payments, refunds, disputes, Checkout and the customer portal."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.support.stripe.objects import Object, Store


class Payments(Store):
    """Takes payments; what customers and banks do is a method of its own."""

    def charge(self, intent: Object, amount: int, now: datetime) -> Object:
        intent["status"] = "succeeded"
        return self.add(
            "ch",
            "charge",
            now,
            amount=amount,
            amount_refunded=0,
            currency=intent["currency"],
            payment_intent=intent["id"],
            refunded=False,
            disputed=False,
            paid=True,
            status="succeeded",
        )

    def refund(self, charge: Object, amount: int, now: datetime) -> Object:
        refund = self.add(
            "re",
            "refund",
            now,
            amount=amount,
            charge=charge["id"],
            currency=charge["currency"],
            status="succeeded",
        )
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self.happen("charge.refunded", charge, now)
        return refund

    def dispute(self, charge: Object, now: datetime) -> Object:
        charge["disputed"] = True
        dispute = self.add(
            "dp",
            "dispute",
            now,
            amount=charge["amount"],
            charge=charge["id"],
            currency=charge["currency"],
            payment_intent=charge["payment_intent"],
            reason="general",
            status="needs_response",
        )
        self.happen("charge.dispute.created", dispute, now)
        return dispute

    def close_dispute(self, dispute: Object, status: str, now: datetime) -> None:
        dispute["status"] = status
        self.happen("charge.dispute.closed", dispute, now)

    def pay_checkout(self, session_id: str, now: datetime) -> Object:
        """A customer goes through a Checkout session; returns the charge of a payment."""
        session = self.find(session_id)
        session["status"] = "complete"
        if session["mode"] == "setup":
            card = {"brand": "visa", "last4": "4242", "exp_month": 4, "exp_year": 2031}
            method = self.add(
                "pm", "payment_method", now, customer=session["customer"], type="card", card=card
            )
            intent = self.add("seti", "setup_intent", now, payment_method=method["id"])
            session |= {"setup_intent": intent["id"], "payment_status": "no_payment_required"}
            self.happen("checkout.session.completed", session, now)
            return method
        intent = self.add(
            "pi",
            "payment_intent",
            now,
            amount=session["amount_total"],
            currency=session["currency"],
            status="succeeded",
            customer=session["customer"],
            metadata=session["payment_intent_data"]["metadata"],
        )
        charge = self.charge(intent, session["amount_total"], now)
        session |= {"payment_status": "paid", "payment_intent": intent["id"]}
        self.happen("checkout.session.completed", session, now)
        return charge

    def _post_payment_intents(self, values: Object, now: datetime) -> Object:
        intent = self.add("pi", "payment_intent", now, **values, status="succeeded")
        self.charge(intent, values["amount"], now)
        self.happen("payment_intent.succeeded", intent, now)
        return intent

    def _post_checkout_sessions(self, values: Object, now: datetime) -> Object:
        amount = sum(
            item["quantity"] * item["price_data"]["unit_amount"]
            for item in values.get("line_items", [])
        )
        session = self.add(
            "cs",
            "checkout.session",
            now,
            **values,
            status="open",
            payment_status="unpaid",
            amount_total=amount,
            expires_at=int((now + timedelta(days=1)).timestamp()),
            automatic_tax={"enabled": False},
            custom_fields=[],
            custom_text={},
            payment_method_types=["card"],
            shipping_options=[],
        )
        session.setdefault("currency", _currency_of(values))
        session["url"] = f"https://checkout.stripe.example/{session['id']}"
        return session

    def _post_billing_portal_sessions(self, values: Object, now: datetime) -> Object:
        session = self.add("bps", "billing_portal.session", now, **values)
        session["url"] = f"https://billing.stripe.example/{session['id']}"
        return session


def _currency_of(values: Object) -> str | None:
    items = values.get("line_items") or [{}]
    currency: str | None = items[0].get("price_data", {}).get("currency")
    return currency
