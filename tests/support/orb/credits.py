"""Credit ledgers: a block for each grant, and an entry for each change, in one unit a ledger."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.support.orb.customers import Customers
from tests.support.orb.objects import Object, iso, listed, plain, when


class Credits(Customers):
    """Keeps blocks and entries; ``grant`` and ``void`` are what people in Orb do."""

    def get_customers_credits(
        self, body: Object, query: Object, now: datetime, item_id: str
    ) -> Object:
        customer = self.find(item_id)
        return listed(
            [block for block in self._blocks(customer, query) if _lasts(block, now)], query
        )

    def get_customers_credits_ledger(
        self, body: Object, query: Object, now: datetime, item_id: str
    ) -> Object:
        customer = self.find(item_id)
        since = query.get("created_at[gte]")
        entries = [
            entry
            for entry in self.all("entry")
            if entry["customer"]["id"] == customer["id"]
            and entry["currency"] == _unit(query)
            and query.get("entry_type") in {None, entry["entry_type"]}
            and (since is None or when(since) <= when(entry["created_at"]))
        ]
        return listed(entries, query)

    def get_customers_external_customer_id_credits(
        self, body: Object, query: Object, now: datetime, alias: str
    ) -> Object:
        customer = self.get_customers_external_customer_id({}, {}, now, alias)
        return self.get_customers_credits({}, query, now, customer["id"])

    def get_customers_external_customer_id_credits_ledger(
        self, body: Object, query: Object, now: datetime, alias: str
    ) -> Object:
        customer = self.get_customers_external_customer_id({}, {}, now, alias)
        return self.get_customers_credits_ledger({}, query, now, customer["id"])

    # --- what others do

    def grant(
        self, customer_id: str, amount: float, unit: str, now: datetime, **values: Any
    ) -> Object:
        """Somebody adds credit."""
        block = self.add(
            "block",
            now,
            **{
                "balance": amount,
                "credit_block_source": "manual",
                "effective_date": iso(now),
                "expiry_date": None,
                "filters": [],
                "maximum_initial_balance": amount,
                "per_unit_cost_basis": None,
                "status": "active",
                "_unit": unit,
                "_customer": customer_id,
                **values,
            },
        )
        self._enter(block, "increment", amount, now)
        return block

    def void_credit(self, block: Object, now: datetime) -> None:
        """Somebody takes back what is left."""
        self._enter(block, "void", block["balance"], now)
        block["balance"] = 0.0

    def draw(self, invoice: Object, line: Object, now: datetime) -> None:
        """What a line asks for is taken from active blocks, the soonest to expire first."""
        query = {"currency": invoice["currency"]}
        blocks = [
            block
            for block in self._blocks(invoice["customer"], query)
            if block["status"] == "active" and _lasts(block, now)
        ]
        for block in sorted(blocks, key=lambda block: block["expiry_date"] or "9"):
            part = min(Decimal(str(block["balance"])), Decimal(line["amount"]))
            if part > 0:
                self._enter(block, "decrement", float(part), now, invoice_id=invoice["id"])
                block["balance"] = float(Decimal(str(block["balance"])) - part)
                line["amount"] = plain(Decimal(line["amount"]) - part)
                line["credits_applied"] = plain(Decimal(line["credits_applied"]) + part)

    def _blocks(self, customer: Object, query: Object) -> list[Object]:
        return [
            block
            for block in self.all("block")
            if block["_customer"] == customer["id"] and block["_unit"] == _unit(query)
        ]

    def _enter(self, block: Object, kind: str, amount: float, now: datetime, **values: Any) -> None:
        customer = self.find(block["_customer"])
        of_block = ("id", "expiry_date", "filters", "per_unit_cost_basis")
        self.add(
            "entry",
            now,
            amount=amount,
            credit_block={name: block[name] for name in of_block},
            currency=block["_unit"],
            customer={name: customer[name] for name in ("id", "external_customer_id")},
            description=None,
            starting_balance=block["balance"],
            ending_balance=block["balance"] + (amount if kind == "increment" else -amount),
            entry_status="committed",
            entry_type=kind,
            ledger_sequence_number=len(self.all("entry")) + 1,
            **values,
        )


def _unit(query: Object) -> str:
    return str(query.get("currency") or "credits")


def _lasts(block: Object, now: datetime) -> bool:
    expiry = block["expiry_date"]
    return bool(block["balance"]) and (expiry is None or when(expiry) > now)
