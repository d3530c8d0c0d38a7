"""A rehearsal: what would be sent to Orb, and nothing is.

What exists is read; what would be made is answered as Orb would, as far as the next request
depends on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from backend.platforms.adapter import Rehearsed
from backend.platforms.orb.calls import Json, OrbCalls, Query
from backend.pricing.money import ZERO


class RehearsedCalls(OrbCalls):
    """Calls that read and note, and change nothing."""

    def __init__(self, calls: OrbCalls) -> None:
        vars(self).update(vars(calls))  # over the same connections, for what is read
        self.requests: list[Rehearsed] = []
        self._pretended: dict[str, Json] = {}

    async def get(self, path: str, query: Query | None = None) -> Json:
        """Read what exists, or would by now."""
        *_, last = path.split("/")
        if last in self._pretended:
            return self._pretended[last]
        if any(new_id in str(query) for new_id in self._pretended):
            return {"data": [], "pagination_metadata": {"next_cursor": None}}
        return await super().get(path, query)

    async def post(
        self, path: str, body: Mapping[str, Any] | None = None, *, query: Query | None = None
    ) -> Json:
        """Note a request; answer as if it had been done."""
        self._note("POST", path, body)
        _, kind, *rest = path.split("/")
        if rest and rest[0] in self._pretended:
            return self._pretended[rest[0]]
        return await self._pretend(kind, body or {})

    async def put(self, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """Note a change."""
        self._note("PUT", path, body)
        return {}

    def _note(self, method: str, path: str, body: Mapping[str, Any] | None) -> None:
        lines = tuple(json.dumps(body, indent=2, ensure_ascii=False).splitlines()) if body else ()
        self.requests.append(Rehearsed(method, path, lines))

    async def _pretend(self, kind: str, body: Mapping[str, Any]) -> Json:
        new_id = f"new-{len(self._pretended) + 1}"
        pretended: Json = {**body, "id": new_id, "status": "draft", "end_date": None}
        if kind == "invoices":
            pretended |= await self._totals(body)
        self._pretended[new_id] = pretended
        return pretended

    async def _totals(self, body: Mapping[str, Any]) -> Json:
        lines = [
            {
                "name": line["name"],
                "amount": line["unit_config"]["unit_amount"],
                "price": {"item": {"name": await self._item(line["item_id"])}},
                "tax_amounts": [],
            }
            for line in body["line_items"]
        ]
        total = str(sum((Decimal(line["amount"]) for line in lines), ZERO))
        return {
            "line_items": lines,
            "total": total,
            "amount_due": total,
            "payment_attempts": [],
            "customer_balance_transactions": [],
        }

    async def _item(self, item_id: str) -> str:
        """Return the name of an item, rehearsed or there."""
        return str((await self.get(f"/items/{item_id}"))["name"])
