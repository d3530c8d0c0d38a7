"""Tenants as Amberflo's customers."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from backend.platforms.adapter import Attempt, Refused
from backend.platforms.amberflo.calls import AmberfloCalls
from backend.platforms.amberflo.mapping import customer_payload, merged_customer
from backend.platforms.documents import Customer

_PATH = "/customers/"


async def ensure_customer(calls: AmberfloCalls, customer: Customer, attempt: Attempt) -> str:
    """Create a customer that is not there, or bring it up to date; return its id.

    Its id is ours, so whatever happened to an answer, it is looked for before it is made.
    """
    payload = customer_payload(customer)
    remote_id = str(payload["customerId"])
    details = hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
    if details == await attempt.memory.recall("customer_details", customer.currency):
        return remote_id
    there = await _find(calls, remote_id)
    if there is None:
        try:
            await calls.post(_PATH, payload)
        except Refused:
            there = await _find(calls, remote_id)  # another worker was faster
            if there is None:
                raise
    if there is not None:
        await calls.send("PUT", _PATH, merged_customer(there, payload))
    await attempt.memory.remember("customer", customer.currency, remote_id)
    await attempt.memory.remember("customer_details", customer.currency, details)
    return remote_id


async def _find(calls: AmberfloCalls, remote_id: str) -> dict[str, Any] | None:
    customer = await calls.get(_PATH, {"customerId": remote_id})
    return customer if customer and "customerId" in customer else None
