"""Credit that Orb holds for a customer: what is left of it, and which invoices it paid.

Read as Orb's own client does: ``GET /customers/{id}/credits`` and ``…/credits/ledger``, each a
ledger in one unit: money, or the account's custom unit, which no invoice in money is paid from.
Farebox keeps credit in its wallets and gives Orb none: whatever is there was given by others.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final
from urllib.parse import quote

from backend.platforms.adapter import Refused
from backend.platforms.documents import CreditBlock, CreditDraw, RemoteCredit
from backend.platforms.orb.calls import NOT_THERE, Json, OrbCalls, Query
from backend.platforms.orb.mapping import external_id, moment, stamp
from backend.pricing.money import ZERO

_UNIT: Final = "credits"
"""Orb's word for the custom unit that an account has without making one."""


async def read_credit(
    calls: OrbCalls, tenant_id: str, currency: str, customer: str | None, since: datetime
) -> RemoteCredit:
    """Return what is left by block, and what invoices drew since then. ``customer``: its remote id.

    Without one the customer is looked for by our external id: somebody may have made it in Orb.
    """
    alias = quote(external_id(tenant_id, currency), safe="")
    of = customer or f"external_customer_id/{alias}"
    drawn: Query = {
        "currency": currency,
        "entry_type": "decrement",
        "created_at[gte]": stamp(since),
    }
    try:
        blocks = [
            _block(raw, unit, is_money=unit == currency)
            for unit in (currency, _UNIT)
            async for raw in calls.all(f"/customers/{of}/credits", {"currency": unit})
        ]
        entries = [entry async for entry in calls.all(f"/customers/{of}/credits/ledger", drawn)]
    except Refused as refusal:
        if customer is None and refusal.code == NOT_THERE:
            return RemoteCredit()
        raise
    left = tuple(block for block in blocks if block.amount > 0)
    return RemoteCredit(left, _draws(entries, currency))


def _block(raw: Json, unit: str, *, is_money: bool) -> CreditBlock:
    starts_at, expires_at = raw.get("effective_date"), raw.get("expiry_date")
    return CreditBlock(
        remote_id=str(raw["id"]),
        amount=Decimal(str(raw["balance"])),
        unit=unit,
        is_money=is_money,
        source=str(raw["credit_block_source"]),
        starts_at=starts_at and moment(starts_at),
        expires_at=expires_at and moment(expires_at),
        pending=raw["status"] == "pending_payment",
    )


def _draws(entries: Iterable[Json], currency: str) -> tuple[CreditDraw, ...]:
    """Return what was drawn by invoice: Orb notes it by day, price and block."""
    sums: dict[str, Decimal] = {}
    for entry in entries:
        if entry.get("invoice_id") is not None:
            amount = abs(Decimal(str(entry["amount"])))
            sums[entry["invoice_id"]] = sums.get(entry["invoice_id"], ZERO) + amount
    return tuple(CreditDraw(invoice, amount, currency) for invoice, amount in sums.items())
