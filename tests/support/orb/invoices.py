"""One-off invoices: drafted, issued, paid, failed, credited, voided; and what Orb owes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.support.orb.credits import Credits
from tests.support.orb.objects import Object, OrbError, iso, listed, plain, when

ASKING = ("issued", "synced")


class Invoices(Credits):
    """Keeps invoices; ``pay`` and the like are what customers, banks and people in Orb do."""

    def post_invoices(self, body: Object, query: Object, now: datetime) -> Object:
        customer = self.find(body["customer_id"])
        if customer["currency"] not in {None, body["currency"]}:
            raise OrbError("The currency must be the customer's.")
        lines = [self._line(line) for line in body["line_items"]]
        invoice = self.add(
            "invoice",
            now,
            **_EMPTY,
            metadata=body.get("metadata") or {},
            memo=body.get("memo"),
            currency=body["currency"],
            customer={
                "id": customer["id"],
                "external_customer_id": customer["external_customer_id"],
            },
            invoice_date=body["invoice_date"],
            due_date=body.get("due_date"),
            eligible_to_issue_at=body["invoice_date"],
            auto_collection={
                "enabled": body.get("auto_collection", customer["auto_collection"]),
                "num_attempts": None,
                "next_attempt_at": None,
                "previously_attempted_at": None,
            },
            line_items=lines,
            **{name: [] for name in ("payment_attempts", "credit_notes", "discounts")},
            customer_balance_transactions=[],
        )
        self.retotal(invoice)
        invoice["invoice_number"] = f"RFOBWG-{invoice['id'][-6:]}"
        if body.get("will_auto_issue"):
            self.issue(invoice, now)
        return invoice

    def get_invoices(
        self, body: Object, query: Object, now: datetime, item_id: str | None = None
    ) -> Object:
        return self._listed(query) if item_id is None else self.find(item_id)

    def get_invoices_summary(self, body: Object, query: Object, now: datetime) -> Object:
        page = self._listed(query)
        for invoice in page["data"]:
            for name in ("line_items", "discounts", "discount", "minimum", "maximum"):
                invoice.pop(name, None)
        return page

    def put_invoices(self, body: Object, query: Object, now: datetime, item_id: str) -> Object:
        invoice = self.find(item_id)
        invoice["metadata"] |= body.get("metadata") or {}
        return invoice

    def post_invoices_issue(
        self, body: Object, query: Object, now: datetime, item_id: str
    ) -> Object:
        invoice = self.find(item_id)
        if invoice["status"] != "draft" or when(invoice["eligible_to_issue_at"]) > now:
            raise OrbError("The invoice can't be issued.")
        return self.issue(invoice, now)

    def post_invoices_mark_paid(
        self, body: Object, query: Object, now: datetime, item_id: str
    ) -> Object:
        invoice = self.find(item_id)
        if invoice["status"] not in ASKING:
            raise OrbError(f"An invoice that is {invoice['status']} can't be marked as paid.")
        invoice |= {"status": "paid", "paid_at": iso(now)}
        self.happen("invoice.manually_marked_as_paid", now, of=invoice, **body)
        return invoice

    def post_invoices_void(
        self, body: Object, query: Object, now: datetime, item_id: str
    ) -> Object:
        invoice = self.find(item_id)
        if invoice["status"] != "issued":
            raise OrbError(f"An invoice that is {invoice['status']} can't be voided.")
        invoice |= {"status": "void", "voided_at": iso(now)}
        self.happen("invoice.manually_marked_as_void", now, of=invoice)
        return invoice

    def post_credit_notes(self, body: Object, query: Object, now: datetime) -> Object:
        wanted = {line["invoice_line_item_id"]: line for line in body["line_items"]}
        invoice = next(
            of
            for of in self.all("invoice")
            if wanted.keys() <= {line["id"] for line in of["line_items"]}
        )
        for line in invoice["line_items"]:
            part = Decimal(wanted[line["id"]]["amount"]) if line["id"] in wanted else Decimal(0)
            if part < 0 or (part > Decimal(line["amount"]) - line["_credited"] and part):
                raise OrbError("A line can't be credited by more than it asks for.")
        total = Decimal(0)
        for line in invoice["line_items"]:
            if line["id"] in wanted:
                line["_credited"] += Decimal(wanted[line["id"]]["amount"])
                total += Decimal(wanted[line["id"]]["amount"])
        return self._credit_note(invoice, total, body, now)

    def get_credit_notes(self, body: Object, query: Object, now: datetime, item_id: str) -> Object:
        return self.find(item_id)

    # --- what others do

    own_tax = Decimal(0)
    """What the account adds to each invoice, as a part of its total."""

    def retotal(self, invoice: Object) -> None:
        """A draft is computed anew."""
        subtotal = sum((Decimal(line["amount"]) for line in invoice["line_items"]), Decimal(0))
        tax = (subtotal * self.own_tax).quantize(Decimal("0.01"))
        total = subtotal + tax if tax else subtotal
        invoice["subtotal"] = plain(subtotal)
        invoice["total"] = invoice["amount_due"] = plain(total)

    def pay(self, invoice_id: str, now: datetime) -> None:
        """The customer pays what is due."""
        invoice = self.find(invoice_id)
        self._attempt(invoice, now, succeeded=True)
        invoice |= {"status": "paid", "paid_at": iso(now)}
        self.happen("invoice.payment_succeeded", now, of=invoice)

    def fail(self, invoice_id: str, now: datetime) -> None:
        """A payment fails."""
        invoice = self.find(invoice_id)
        self._attempt(invoice, now, succeeded=False)
        invoice["payment_failed_at"] = iso(now)
        invoice["auto_collection"]["num_attempts"] = len(invoice["payment_attempts"])
        self.happen("invoice.payment_failed", now, of=invoice)

    def undo_paid(self, invoice_id: str, now: datetime) -> None:
        """Somebody takes back that an invoice was marked as paid."""
        invoice = self.find(invoice_id)
        invoice |= {"status": "issued", "paid_at": None}
        self.happen("invoice.undo_mark_as_paid", now, of=invoice)

    def _attempt(self, invoice: Object, now: datetime, *, succeeded: bool) -> None:
        attempt = {
            "id": f"attempt{next(self.numbers):06d}",
            "payment_provider": "stripe",
            "payment_provider_id": None,
            "amount": invoice["amount_due"],
            "succeeded": succeeded,
            "created_at": iso(now),
            "receipt_pdf": None,
        }
        invoice["payment_attempts"].append(attempt)

    def issue(self, invoice: Object, now: datetime) -> Object:
        customer = self.find(invoice["customer"]["id"])
        owed, due = -Decimal(customer["balance"]), Decimal(invoice["amount_due"])
        if due < 0:
            raise OrbError("An invoice can't ask for less than nothing.")
        used = min(owed, due)
        if used > 0:
            customer["balance"] = plain(used - owed)
            invoice["amount_due"] = plain(due - used)
            self._moved(customer, invoice, "applied_to_invoice", used, now)
        invoice |= {"status": "issued", "issued_at": iso(now), "eligible_to_issue_at": None}
        invoice["hosted_invoice_url"] = f"https://invoice.withorb.example/{invoice['id']}"
        if Decimal(invoice["amount_due"]) == 0:
            invoice |= {"status": "paid", "paid_at": iso(now)}
        self.happen("invoice.issued", now, of=invoice, automatically_marked_as_paid=False)
        return invoice

    def _credit_note(self, invoice: Object, total: Decimal, body: Object, now: datetime) -> Object:
        kind = "refund" if invoice["status"] == "paid" else "adjustment"
        note = self.add(
            "credit_note",
            now,
            voided_at=None,
            credit_note_number=f"CN-{len(self.objects)}",
            invoice_id=invoice["id"],
            memo=body.get("memo"),
            reason=body["reason"].replace("_", " ").capitalize(),
            type=kind,
            subtotal=plain(total),
            total=plain(total),
            customer=invoice["customer"],
            credit_note_pdf=None,
            minimum_amount_refunded=None,
            maximum_amount_adjustment=None,
            discounts=[],
            line_items=[],
        )
        names = ("id", "credit_note_number", "reason", "total", "voided_at", "type", "memo")
        invoice["credit_notes"].append({name: note[name] for name in names})
        if kind == "refund":
            customer = self.find(invoice["customer"]["id"])
            customer["balance"] = plain(Decimal(customer["balance"]) - total)
        else:
            left = Decimal(invoice["amount_due"]) - total
            invoice["amount_due"] = plain(left)
            if left == 0:
                invoice |= {"status": "paid", "paid_at": iso(now)}
        self.happen("credit_note.issued", now, of=note)
        return note

    def _moved(
        self, customer: Object, invoice: Object, action: str, amount: Decimal, now: datetime
    ) -> None:
        invoice["customer_balance_transactions"].append(
            {
                "id": f"balance{next(self.numbers):06d}",
                "created_at": iso(now),
                "starting_balance": plain(Decimal(customer["balance"]) - amount),
                "ending_balance": customer["balance"],
                "amount": plain(amount),
                "action": action,
                "description": None,
                "invoice": {"id": invoice["id"]},
                "type": "increment",
                "credit_note": None,
            }
        )

    def _line(self, line: Object) -> Object:
        item = self.find(line["item_id"])
        amount = Decimal(str(line["quantity"])) * Decimal(line["unit_config"]["unit_amount"])
        texts = dict.fromkeys(("subtotal", "adjusted_subtotal", "amount"), plain(amount))
        return {
            "id": f"line{next(self.numbers):06d}",
            "_credited": Decimal(0),
            "name": line["name"],
            "quantity": line["quantity"],
            "start_date": f"{line['start_date']}T00:00:00+00:00",
            "end_date": f"{line['end_date']}T00:00:00+00:00",
            "credits_applied": "0.00",
            "partially_invoiced_amount": "0.00",
            "grouping": None,
            "filter": None,
            "usage_customer_ids": None,
            **{name: [] for name in ("adjustments", "sub_line_items", "tax_amounts")},
            **texts,
            "price": {
                "id": f"price{next(self.numbers):06d}",
                "model_type": "unit",
                "unit_config": line["unit_config"],
                "name": line["name"],
                "item": {"id": item["id"], "name": item["name"]},
            },
        }

    def _listed(self, query: Object) -> Object:
        states = query.get("status[]") or ["issued", "paid", "synced"]
        since, until = query.get("invoice_date[gte]"), query.get("invoice_date[lte]")
        invoices = [
            invoice
            for invoice in self.all("invoice")
            if invoice["status"] in states
            and query.get("customer_id") in {None, invoice["customer"]["id"]}
            and (since is None or when(since) <= when(invoice["invoice_date"]))
            and (until is None or when(invoice["invoice_date"]) <= when(until))
        ]
        return listed(invoices, query)


_EMPTY: dict[str, Any] = {
    "status": "draft",
    "invoice_source": "one_off",
    "will_auto_issue": False,
    **dict.fromkeys(
        (
            "voided_at",
            "paid_at",
            "issued_at",
            "scheduled_issue_at",
            "issue_failed_at",
            "sync_failed_at",
            "payment_failed_at",
            "payment_started_at",
            "invoice_pdf",
            "subscription",
            "shipping_address",
            "billing_address",
            "hosted_invoice_url",
            "customer_tax_id",
            "discount",
            "minimum",
            "minimum_amount",
            "maximum",
            "maximum_amount",
        )
    ),
}
