"""Credit that Orb holds and we know nothing of: read, named, and kept apart from the wallet's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.platforms.orb.adapter import Orb
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from tests.platforms.conftest import drift
from tests.platforms.orb.conftest import apply
from tests.platforms.orb.rated import LATELY, NOW, PERIOD, compared, rated_by_orb, sent
from tests.support.invoices import count, used
from tests.support.orb.objects import iso
from tests.support.orb.server import KEY, OrbStandIn

pytestmark = pytest.mark.engine

END = datetime(2099, 12, 31, tzinfo=UTC)


def by_cause(rows: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {row["cause"]: (row["subject"], row["theirs"]) for row in rows}


async def test_credit_in_orb_is_named_with_its_amount_unit_and_end(
    database: Database, stand_in: OrbStandIn, orb: Orb, tenant: Tenant
) -> None:
    """Of a customer that somebody made in Orb under our external id, before we sent anything."""
    assert await compared(database, orb, NOW) == []  # no such customer: no credit
    books, now = stand_in.books, stand_in.now
    customer = books.post_customers({"external_customer_id": f"{tenant.id}-USD"}, {}, now)
    money = books.grant(customer["id"], 25.5, "USD", now, expiry_date=iso(END))
    units = books.grant(customer["id"], 1000.0, "credits", now, credit_block_source="allocation")
    books.grant(customer["id"], 9.0, "USD", now, expiry_date=iso(now - timedelta(days=1)))
    for _ in range(2):
        rows = await compared(database, orb, NOW)
        assert by_cause(rows) == {
            "credit_unknown_here": (money["id"], "25.5 USD"),
            "credit_in_units": (units["id"], "1000 credits"),
        }
    details = {row["cause"]: row["detail"] for row in rows}
    assert "(manual), from " in details["credit_unknown_here"]
    assert "until 2099-12-31 00:00 UTC. It pays usage" in details["credit_unknown_here"]
    assert "(allocation), from " in details["credit_in_units"]
    assert "without an end. It is no money: it pays no price in USD." in details["credit_in_units"]
    assert stand_in.writes() == []

    books.void_credit(money, now)
    assert by_cause(await compared(database, orb, NOW)).keys() == {"credit_in_units"}


async def test_what_orbs_invoice_draws_on_it_is_named_and_none_of_the_wallets(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb
) -> None:
    """It is rated as ours is, though Orb asks for less; Orb's own client reads the same."""
    import orb as official  # here: a second, which every process would take as it collects

    tenant = await rated_by_orb(database, orb)
    books = stand_in.books
    [customer], [subscription] = books.all("customer"), books.all("subscription")
    # More blocks than a page of Orb's holds: all but the last are used up by a fee of 20
    blocks = [books.grant(customer["id"], 0.2, "USD", stand_in.now) for _ in range(101)]
    unpaid = books.grant(customer["id"], 7.0, "USD", stand_in.now, status="pending_payment")
    await count(database, [used(tenant, LATELY, "600")])
    await sent(database, orb)
    assert len(await compared(database, orb, NOW)) == 102
    invoice = books.invoice_period(subscription, PERIOD.start, PERIOD.end, stand_in.now)
    assert (invoice["status"], invoice["amount_due"]) == ("paid", "0.00")
    await apply(database, settings, orb, books.events[-1:])
    rows = await compared(database, orb, NOW + timedelta(days=1))
    assert {(row["cause"], row["subject"], row["theirs"]) for row in rows} == {
        ("credit_drawn_there", invoice["id"], "20 USD"),
        ("credit_unknown_here", blocks[-1]["id"], "0.2 USD"),
        ("credit_unknown_here", unpaid["id"], "7 USD"),
    }
    [pending] = [row["detail"] for row in rows if row["subject"] == unpaid["id"]]
    assert "once it is paid for" in pending

    client = official.Orb(api_key=KEY, base_url=f"{stand_in.url}/v1", max_retries=0)

    def read() -> tuple[list[float], float]:
        credit = client.customers.credits
        held = credit.list(customer["id"], currency="USD", limit=100)
        drawn = credit.ledger.list(
            customer["id"], currency="USD", entry_type="decrement", limit=100
        )
        return [block.balance for block in held], sum(entry.amount for entry in drawn)

    held, drawn = await asyncio.to_thread(read)
    assert (sorted(held), round(drawn, 9)) == ([0.2, 7.0], 20.0)

    # It is told as long as a billing period may be looked at, and goes then
    later = await compared(database, orb, NOW + timedelta(days=36))
    assert "credit_drawn_there" not in {row["cause"] for row in later if row["kind"] == "credit"}
    assert await drift(database) == later
