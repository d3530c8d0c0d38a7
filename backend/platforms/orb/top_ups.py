"""Credit that customers buy: an invoice of Orb's own, paid on its page or by the saved method."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from backend.platforms.adapter import Attempt, Refused
from backend.platforms.documents import TopUpDocument
from backend.platforms.orb.calls import Json, OrbCalls
from backend.platforms.orb.catalog import OrbCatalog
from backend.platforms.orb.customers import ensure_customer
from backend.platforms.orb.invoices import OrbInvoices
from backend.platforms.orb.mapping import CHARGES, Body, stamp
from backend.pricing.money import whole_minor_units
from backend_client.types.common import plain


@dataclass(frozen=True, slots=True)
class OrbTopUps:
    """Has customers pay for credit."""

    calls: OrbCalls
    catalog: OrbCatalog
    invoices: OrbInvoices

    async def charge(self, top_up: TopUpDocument, attempt: Attempt) -> str:
        """Charge the customer's saved method; raise ``Refused`` if it has none."""
        customer = await ensure_customer(self.calls, top_up.customer, attempt)
        remote = await self.calls.get(f"/customers/{customer}")
        if remote.get("default_payment_method") is None and remote["payment_provider"] is None:
            raise Refused("The customer has saved no payment method.", "no_payment_method")
        return str((await self._invoice(top_up, customer, attempt, automatic=True))["id"])

    async def page(self, top_up: TopUpDocument, attempt: Attempt) -> str:
        """Return the page of a top-up's invoice."""
        customer = await ensure_customer(self.calls, top_up.customer, attempt)
        invoice = await self._invoice(top_up, customer, attempt, automatic=False)
        if not invoice["hosted_invoice_url"]:
            raise Refused("Orb has no payment page for this account: connect a payment gateway.")
        return str(invoice["hosted_invoice_url"])

    async def _invoice(
        self, top_up: TopUpDocument, customer: str, attempt: Attempt, *, automatic: bool
    ) -> Json:
        """Return a top-up's invoice: that of before if there is one, whatever it was made for."""
        currency, now = top_up.customer.currency, datetime.now(UTC)
        if top_up.amount != whole_minor_units(top_up.amount, currency):
            sentence = f"{plain(top_up.amount)} {currency} can't be paid."
            raise Refused(sentence, "amount_not_payable")
        remote_id = await attempt.memory.recall("top_up", top_up.id)
        if remote_id is None:
            remote_id = await self.invoices.find(customer, now, "farebox_top_up", top_up.id)
        if remote_id is None:
            item_id = await self.catalog.item(CHARGES)
            body = top_up_body(top_up, customer, item_id, now, automatic=automatic)
            remote_id = str((await self.calls.post("/invoices", body))["id"])
        await attempt.memory.remember("top_up", top_up.id, remote_id)
        return await self.invoices.read(remote_id)


def top_up_body(
    top_up: TopUpDocument, customer: str, item_id: str, now: datetime, *, automatic: bool
) -> Body:
    """Return a top-up as an invoice that is issued at once."""
    today = now.date().isoformat()
    line = {
        "name": "Credit",
        "item_id": item_id,
        "start_date": today,
        "end_date": today,
        "quantity": 1,
        "model_type": "unit",
        "unit_config": {"unit_amount": plain(top_up.amount)},
    }
    metadata = {"farebox_top_up": top_up.id, "farebox_tenant": top_up.customer.tenant_id}
    return {
        "customer_id": customer,
        "currency": top_up.customer.currency,
        "invoice_date": stamp(now),
        "net_terms": 0,
        "will_auto_issue": True,
        "auto_collection": automatic,
        "memo": "Credit",
        "line_items": [line],
        "metadata": metadata | ({"farebox_automatic": "true"} if automatic else {}),
    }
