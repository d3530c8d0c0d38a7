"""Credit notes: their parts before and after payment come to the total."""

from __future__ import annotations

from datetime import datetime

from tests.support.stripe.objects import Object, Store, StripeError


class CreditNotes(Store):
    """Writes credit notes on finalized invoices."""

    def _post_credit_notes(self, values: Object, now: datetime) -> Object:
        invoice = self.find(values["invoice"])
        if invoice["status"] not in {"open", "paid", "uncollectible"}:
            raise StripeError("Credit notes are for finalized invoices")
        lines = values.pop("lines", [])
        rates = {tax["tax_rate_details"]["tax_rate"] for tax in invoice["total_taxes"]}
        inclusive = {
            tax["tax_rate_details"]["tax_rate"]
            for tax in invoice["total_taxes"]
            if tax["tax_behavior"] == "inclusive"
        }
        total = values.pop("amount", 0)
        for line in lines:
            total += line["quantity"] * line["unit_amount"]
            for tax in line.get("tax_amounts", []):
                if tax["tax_rate"] not in rates:
                    raise StripeError(f"No such tax rate: {tax['tax_rate']}", "resource_missing")
                total += 0 if tax["tax_rate"] in inclusive else tax["amount"]
        before = min(total, invoice["amount_remaining"])
        given = sum(
            values.get(name, 0) for name in ("out_of_band_amount", "credit_amount", "refund_amount")
        )
        if total - before != given:
            raise StripeError("The sum of credit, refund and out of band must be the paid part")
        note = self.add(
            "cn",
            "credit_note",
            now,
            **values,
            total=total,
            amount=total,
            subtotal=total,
            currency=invoice["currency"],
            customer=invoice["customer"],
            status="issued",
            number=f"CN-{len(self.objects)}",
            pre_payment_amount=before,
            refunds=[],
            post_payment_amount=total - before,
            discount_amount=0,
            discount_amounts=[],
            amount_shipping=0,
            pretax_credit_amounts=[],
            type="mixed",
            pdf="",
            lines={"object": "list", "data": lines, "has_more": False, "url": "/v1"},
        )
        invoice["amount_remaining"] -= before
        if invoice["amount_remaining"] == 0:
            invoice["status"] = "paid"
        self.happen("credit_note.created", note, now)
        return note
