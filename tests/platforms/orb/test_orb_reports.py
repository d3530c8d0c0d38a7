"""What Orb reports: each payment, refund and correction counts once, whatever the order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from backend.invoices.issuing.issuing import balances_of
from backend.invoices.queries import find_invoice
from backend.platforms.errors import WebhookRefused
from backend.platforms.orb.adapter import Orb
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import platform_inbox
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import Invoice
from tests.platforms.conftest import VAT, drift, issued
from tests.platforms.orb.conftest import apply, send
from tests.support.orb.server import OrbStandIn, signed

pytestmark = pytest.mark.engine


async def read(database: Database, settings: Settings, tenant: Tenant, invoice_id: str) -> Invoice:
    async with database.begin() as connection:
        return await find_invoice(connection, settings, tenant.id, invoice_id, datetime.now(UTC))


async def balance(database: Database, tenant: Tenant) -> Decimal:
    async with database.begin() as connection:
        return (await balances_of(connection, [tenant.id])).get(tenant.id, Decimal(0))


async def test_paid_before_issued_and_three_times_each_is_one_payment(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb, tenant: Tenant
) -> None:
    """A payment that failed first is shown until another comes."""
    invoice_id = await issued(database, settings, tenant, ["30.00"], [VAT])
    await send(database, orb)
    books = stand_in.books
    [remote] = books.all("invoice")
    books.fail(remote["id"], stand_in.now)
    await apply(database, settings, orb, books.events[-1:])
    [row] = await drift(database)
    assert (row["cause"], row["subject"]) == ("payment_failed", invoice_id)
    assert row["detail"].endswith("The payment failed (attempt 1).")
    books.pay(remote["id"], stand_in.now)
    kinds = [event["type"] for event in books.events]
    assert kinds == ["invoice.issued", "invoice.payment_failed", "invoice.payment_succeeded"]
    await apply(database, settings, orb, [*reversed(books.events)] * 3)
    invoice = await read(database, settings, tenant, invoice_id)
    assert (invoice.state, str(invoice.due.amount)) == ("paid", "0.00")
    [payment] = invoice.payments
    assert (payment.method, str(payment.amount.amount)) == ("orb", "35.70")
    async with database.begin() as connection:
        assert await connection.scalar(select(func.count()).select_from(platform_inbox)) == 3
    writes = len(stand_in.writes())
    await send(database, orb)  # its own report is no news to Orb
    assert len(stand_in.writes()) == writes
    assert await drift(database) == []


async def test_what_is_marked_as_paid_there_is_paid_here_until_it_is_not(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb, tenant: Tenant
) -> None:
    invoice_id = await issued(database, settings, tenant, ["30.00"])
    await send(database, orb)
    books = stand_in.books
    [remote] = books.all("invoice")
    books.post_invoices_mark_paid({}, {}, stand_in.now, remote["id"])
    await apply(database, settings, orb, books.events * 2)
    assert (await read(database, settings, tenant, invoice_id)).state == "paid"
    books.undo_paid(remote["id"], stand_in.now)
    await apply(database, settings, orb, books.events[-1:])
    [row] = await drift(database)
    assert (row["cause"], row["ours"], row["theirs"]) == ("unpaid_there", "30", "0")


async def test_voided_or_edited_there_is_drift_and_ours_is_as_it_was(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb, tenant: Tenant
) -> None:
    voided = await issued(database, settings, tenant, ["10.00"])
    edited = await issued(database, settings, tenant, ["20.00"], month=4)
    await send(database, orb)
    books = stand_in.books
    first, second = books.all("invoice")
    books.post_invoices_void({}, {}, stand_in.now, first["id"])
    second["total"] = second["amount_due"] = "15.00"
    books.happen("invoice.edited", stand_in.now, of=second)
    await apply(database, settings, orb, books.events)
    causes = {row["subject"]: row["cause"] for row in await drift(database)}
    assert causes == {voided: "voided_there", edited: "edited_there"}
    for invoice_id in (voided, edited):
        assert (await read(database, settings, tenant, invoice_id)).state == "finalized"


async def test_credit_notes_written_there_are_written_here(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb, tenant: Tenant
) -> None:
    """Of an open invoice, which asks for less; of a paid one, which Orb owes from then on."""
    opened = await issued(database, settings, tenant, ["10.00", "20.00"], month=1)
    paid = await issued(database, settings, tenant, ["10.00", "20.00"], month=2)
    await send(database, orb)
    books = stand_in.books
    first, second = books.all("invoice")
    books.pay(second["id"], stand_in.now)

    def credit(remote: dict[str, Any], amount: str) -> None:
        line = {"invoice_line_item_id": remote["line_items"][1]["id"], "amount": amount}
        body = {"line_items": [line], "reason": "order_change", "memo": "goodwill"}
        books.post_credit_notes(body, {}, stand_in.now)

    credit(first, "12.50")
    credit(second, "20.00")
    await apply(database, settings, orb, books.events * 2)
    [note] = (await read(database, settings, tenant, opened)).credit_notes
    assert (str(note.total.amount), note.reason) == ("12.50", "goodwill")
    [note] = (await read(database, settings, tenant, paid)).credit_notes
    assert str(note.total.amount) == "20.00"
    assert await balance(database, tenant) == 0  # it is Orb that owes it
    assert await drift(database) == []
    await send(database, orb)
    assert len(books.all("credit_note")) == 2  # and neither is sent back

    # What Orb owes pays a part of the next one there, and that is a payment here
    third = await issued(database, settings, tenant, ["50.00"], month=3)
    await send(database, orb)
    await apply(database, settings, orb, books.events)
    assert str((await read(database, settings, tenant, third)).due.amount) == "30.00"
    books.pay(books.all("invoice")[-1]["id"], stand_in.now)
    await apply(database, settings, orb, books.events)
    invoice = await read(database, settings, tenant, third)
    assert invoice.state == "paid"
    assert [str(payment.amount.amount) for payment in invoice.payments] == ["20.00", "30.00"]
    assert await drift(database) == []


async def test_what_concerns_nobody_here_is_ignored(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb, tenant: Tenant
) -> None:
    await issued(database, settings, tenant, ["10.00"])
    await send(database, orb)
    books, now = stand_in.books, stand_in.now
    other = {**books.all("invoice")[0], "id": "other", "metadata": {}}
    books.objects["other"] = other
    books.events.clear()
    books.happen("invoice.payment_succeeded", now, of=other)
    books.happen("invoice.payment_succeeded", now, of={"id": "gone"})
    books.happen("plan.created", now, of={"id": "plan1"})
    await apply(database, settings, orb, books.events)
    async with database.begin() as connection:
        states = (await connection.scalars(select(platform_inbox.c.state))).all()
    assert states == ["ignored"] * 3


Forgery = Callable[[bytes], dict[str, Any]]


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        (lambda body: signed(body, "secret-of-somebody"), "none of the secrets"),
        (lambda body: signed(body + b" "), "none of the secrets"),
        (
            lambda body: signed(body, at=datetime.now(UTC) - timedelta(minutes=6)),
            "more than five minutes old",
        ),
        (lambda body: signed(body) | {"x-orb-timestamp": "2026-01-01"}, "none of the secrets"),
        (lambda body: signed(body) | {"x-orb-timestamp": "yesterday"}, "can't be read"),
        (lambda body: signed(body) | {"x-orb-signature": "v0=00"}, "can't be read"),
        (lambda body: {}, "no X-Orb-Signature"),
    ],
)
async def test_a_forged_webhook_is_refused(orb: Orb, forged: Forgery, why: str) -> None:
    body = b'{"id":"whe1","type":"invoice.issued"}'
    with pytest.raises(WebhookRefused, match=why):
        orb.verify(forged(body), body, datetime.now(UTC))
