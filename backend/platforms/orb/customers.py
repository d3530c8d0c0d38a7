"""Tenants as Orb's customers."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import quote

from backend.platforms.adapter import Attempt, Refused
from backend.platforms.documents import Customer
from backend.platforms.orb.calls import DUPLICATE, Json, OrbCalls
from backend.platforms.orb.mapping import customer_body, external_id, new_customer_body


async def ensure_customer(calls: OrbCalls, customer: Customer, attempt: Attempt) -> str:
    """Create the customer if it is not there, or bring it up to date; return its remote id."""
    if customer.email is None:
        raise Refused(
            "Orb needs an e-mail address of each customer: add one to the billing details.",
            "no_email",
        )
    body, currency = customer_body(customer), customer.currency
    details = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    remote_id = await attempt.memory.recall("customer", currency)
    if remote_id is None:
        remote_id = await _create(calls, customer)
        await attempt.memory.remember("customer", currency, remote_id)
    elif details != await attempt.memory.recall("customer_details", currency):
        await calls.put(f"/customers/{remote_id}", body)
    else:
        return remote_id
    await attempt.memory.remember("customer_details", currency, details)
    return remote_id


async def _create(calls: OrbCalls, customer: Customer) -> str:
    """Create a customer. Its external id is taken once: then it was made before."""
    try:
        return str((await calls.post("/customers", new_customer_body(customer)))["id"])
    except Refused as refusal:
        if refusal.code != DUPLICATE:
            raise
    alias = quote(external_id(customer.tenant_id, customer.currency), safe="")
    there: Json = await calls.get(f"/customers/external_customer_id/{alias}")
    if there["currency"] not in {None, customer.currency}:
        raise Refused(
            f"Orb's customer {there['id']} is billed in {there['currency']}, the tenant in"
            f" {customer.currency}.",
            "other_currency",
        )
    await calls.put(f"/customers/{there['id']}", customer_body(customer))
    return str(there["id"])
