"""What Stripe reports: each payment, refund and dispute counts once, whatever the order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from backend.customers.suspension import is_suspended
from backend.invoices.errors import PaymentMethodReserved
from backend.invoices.issuing.issuing import balances_of
from backend.invoices.payments.reminders import remind
from backend.invoices.queries import find_invoice
from backend.invoices.settling import record_payment
from backend.platforms.configured import open_stripe
from backend.platforms.errors import WebhookRefused
from backend.platforms.stripe.adapter import Stripe
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import platform_inbox
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import Invoice, PaymentRecord
from tests.platforms.conftest import (
    VAT,
    Clock,
    apply,
    drift,
    issued,
    on_stripe,
    send,
    signed,
    stripe_settings,
)
from tests.support.ports import free_port
from tests.support.stripe.server import StripeStandIn

pytestmark = pytest.mark.engine


async def read(database: Database, settings: Settings, tenant: Tenant, invoice_id: str) -> Invoice:
    async with database.begin() as connection:
        return await find_invoice(connection, settings, tenant.id, invoice_id, datetime.now(UTC))


async def balance(database: Database, tenant: Tenant) -> Decimal:
    async with database.begin() as connection:
        return (await balances_of(connection, [tenant.id])).get(tenant.id, Decimal(0))


async def test_paid_before_finalized_and_three_times_each_is_one_payment(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    invoice_id = await issued(database, settings, tenant, ["30.00"], [VAT])
    await send(database, stripe)
    books = stand_in.books
    [remote] = books.all("invoice")
    books.pay(remote["id"], stand_in.now)
    webhooks = [*reversed(books.events)] * 3
    assert [event["type"] for event in webhooks[:2]] == ["invoice.paid", "invoice.finalized"]
    await apply(database, settings, stripe, webhooks)
    invoice = await read(database, settings, tenant, invoice_id)
    assert (invoice.state, str(invoice.due.amount)) == ("paid", "0.00")
    [payment] = invoice.payments
    assert (payment.method, str(payment.amount.amount)) == ("stripe", "35.70")
    async with database.begin() as connection:
        assert await connection.scalar(select(func.count()).select_from(platform_inbox)) == 2
    # Its own report is no news to Stripe
    writes = len(stand_in.writes())
    await send(database, stripe)
    assert len(stand_in.writes()) == writes
    assert await drift(database) == []


async def test_a_payment_that_fails_is_shown_until_another_comes(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    invoice_id = await issued(database, settings, tenant, ["30.00"])
    await send(database, stripe)
    books = stand_in.books
    [remote] = books.all("invoice")
    books.fail(remote["id"], stand_in.now)
    await apply(database, settings, stripe, books.events)
    [row] = await drift(database)
    assert (row["cause"], row["subject"]) == ("payment_failed", invoice_id)
    assert row["detail"].endswith("The payment failed (attempt 1).")
    assert (await read(database, settings, tenant, invoice_id)).state == "finalized"
    books.pay(remote["id"], stand_in.now)
    await apply(database, settings, stripe, books.events)
    assert (await read(database, settings, tenant, invoice_id)).state == "paid"
    assert await drift(database) == []


async def test_what_is_paid_here_too_is_added_to_the_balance(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    invoice_id = await issued(database, settings, tenant, ["30.00"])
    await send(database, stripe)
    [remote] = stand_in.books.all("invoice")
    stand_in.books.pay(remote["id"], stand_in.now)
    async with database.begin() as connection:
        paid = PaymentRecord(amount=Decimal("20.00"), method="transfer", reference="bank-1")
        await record_payment(connection, tenant.id, invoice_id, paid, datetime.now(UTC))
        by_hand = paid.model_copy(update={"method": "stripe"})
        with pytest.raises(PaymentMethodReserved, match="that the platform reports"):
            await record_payment(connection, tenant.id, invoice_id, by_hand, datetime.now(UTC))
    await apply(database, settings, stripe, stand_in.books.events)
    assert (await read(database, settings, tenant, invoice_id)).state == "paid"
    assert await balance(database, tenant) == Decimal("20.00")


async def test_a_refund_there_is_a_credit_note_here_and_is_paid_out_of_the_balance(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    invoice_id = await issued(database, settings, tenant, ["10.00", "20.00"], [VAT])
    await send(database, stripe)
    books = stand_in.books
    [remote] = books.all("invoice")
    charge = books.pay(remote["id"], stand_in.now)
    await apply(database, settings, stripe, books.events)
    books.refund(charge, 1190, stand_in.now)
    await apply(database, settings, stripe, books.events * 2)
    books.refund(charge, 2380, stand_in.now)
    await apply(database, settings, stripe, books.events)
    invoice = await read(database, settings, tenant, invoice_id)
    assert [str(note.total.amount) for note in invoice.credit_notes] == ["11.90", "23.80"]
    assert invoice.credited == invoice.total
    assert await balance(database, tenant) == 0
    stripe_payments = [p.amount.amount for p in invoice.payments if p.method == "stripe"]
    assert sum(stripe_payments) == 0
    assert await drift(database) == []
    # Stripe is told of the credit notes too, and both sides agree
    await send(database, stripe)
    assert [note["total"] for note in books.all("credit_note")] == [1190, 2380]


async def test_a_refund_that_no_lines_come_to_is_shown_and_holds_dunning(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    invoice_id = await issued(database, settings, tenant, ["10.00"], [VAT])
    await send(database, stripe)
    books = stand_in.books
    charge = books.pay(books.all("invoice")[0]["id"], stand_in.now)
    books.refund(charge, 3, stand_in.now)  # of 0.03 no part is 19 % tax, rounded
    await apply(database, settings, stripe, books.events)
    [row] = await drift(database)
    assert (row["cause"], row["theirs"]) == ("refunded_there", "0.03 USD")
    assert (await read(database, settings, tenant, invoice_id)).credit_notes == []


async def test_dunning_stops_while_a_payment_is_disputed(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    await issued(database, settings, tenant, ["10.00"])
    await send(database, stripe)
    books = stand_in.books
    charge = books.pay(books.all("invoice")[0]["id"], stand_in.now)
    dispute = books.dispute(charge, stand_in.now)
    # Its payment is not known yet, and the invoice is overdue by months
    await apply(database, settings, stripe, books.events[-1:])
    later = datetime.now(UTC) + timedelta(days=90)
    async with database.begin() as connection:
        assert await remind(connection, settings, later) == []
    assert [row["cause"] for row in await drift(database)] == ["disputed"]
    books.close_dispute(dispute, "won", stand_in.now)
    await apply(database, settings, stripe, books.events[-1:])
    assert await drift(database) == []
    async with database.begin() as connection:
        steps = await remind(connection, settings, later)
        assert [step.step for step in steps] == ["remind", "warn", "suspend"]
        assert await is_suspended(connection, tenant.id)


async def test_a_lost_dispute_opens_the_invoice_once(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    invoice_id = await issued(database, settings, tenant, ["10.00"])
    await send(database, stripe)
    books = stand_in.books
    charge = books.pay(books.all("invoice")[0]["id"], stand_in.now)
    await apply(database, settings, stripe, books.events)
    assert (await read(database, settings, tenant, invoice_id)).state == "paid"
    dispute = books.dispute(charge, stand_in.now)
    books.close_dispute(dispute, "lost", stand_in.now)
    for _ in range(2):
        await apply(database, settings, stripe, books.events[-2:])
    invoice = await read(database, settings, tenant, invoice_id)
    assert (invoice.state, invoice.due) == ("finalized", invoice.total)
    assert [str(payment.amount.amount) for payment in invoice.payments] == [
        str(invoice.total.amount),
        f"-{invoice.total.amount}",
    ]
    assert [row["cause"] for row in await drift(database)] == []
    later = datetime.now(UTC) + timedelta(days=90)
    async with database.begin() as connection:
        steps = await remind(connection, settings, later)
    assert [step.step for step in steps] == ["remind", "warn", "suspend"]


async def test_a_dispute_that_is_lost_before_its_payment_is_reported_opens_the_invoice_once(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    """Stripe promises no order: the report of the loss may be the first that comes."""
    invoice_id = await issued(database, settings, tenant, ["10.00"])
    await send(database, stripe)
    books = stand_in.books
    charge = books.pay(books.all("invoice")[0]["id"], stand_in.now)
    books.close_dispute(books.dispute(charge, stand_in.now), "lost", stand_in.now)
    for _ in range(2):
        await apply(database, settings, stripe, [*reversed(books.events)])
    invoice = await read(database, settings, tenant, invoice_id)
    assert (invoice.state, invoice.due) == ("finalized", invoice.total)
    assert [str(payment.amount.amount) for payment in invoice.payments] == [
        str(invoice.total.amount),
        f"-{invoice.total.amount}",
    ]
    assert await drift(database) == []


async def test_voided_or_edited_there_is_drift_and_ours_is_as_it_was(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    voided = await issued(database, settings, tenant, ["10.00"])
    edited = await issued(database, settings, tenant, ["20.00"], month=4)
    await send(database, stripe)
    books = stand_in.books
    first, second = books.all("invoice")
    first |= {"status": "void", "amount_remaining": 0}
    second["total"] = 1500
    books.happen("invoice.voided", first, stand_in.now)
    books.happen("invoice.updated", second, stand_in.now)
    await apply(database, settings, stripe, books.events)
    causes = {row["subject"]: row["cause"] for row in await drift(database)}
    assert causes == {voided: "voided_there", edited: "edited_there"}
    for invoice_id in (voided, edited):
        assert (await read(database, settings, tenant, invoice_id)).state == "finalized"
    async with database.begin() as connection:
        steps = await remind(connection, settings, datetime.now(UTC) + timedelta(days=32))
    assert {step.invoice_id for step in steps} == {edited}


async def test_a_credit_note_written_there_is_written_here(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    invoice_id = await issued(database, settings, tenant, ["10.00", "20.00"])
    await send(database, stripe)
    books = stand_in.books
    [remote] = books.all("invoice")
    values = {"invoice": remote["id"], "amount": 1250, "memo": "goodwill"}
    books.do("POST", "/v1/credit_notes", {}, values, stand_in.now)
    await apply(database, settings, stripe, books.events * 2)
    invoice = await read(database, settings, tenant, invoice_id)
    [note] = invoice.credit_notes
    assert (str(note.total.amount), note.reason) == ("12.50", "goodwill")
    assert [str(line.amount.amount) for line in note.lines] == ["10.00", "2.50"]
    await send(database, stripe)  # and is not sent back
    assert len(books.all("credit_note")) == 1


async def test_what_concerns_nobody_here_is_ignored(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    books, now = stand_in.books, stand_in.now
    customer = books.add("cus", "customer", now, balance=0)
    values = {"customer": customer["id"], "currency": "usd"}
    other = books.do("POST", "/v1/invoices", {}, values, now)
    books.happen("invoice.paid", other, now)
    books.happen("invoice.paid", {"id": "in_that_is_gone"}, now)
    books.happen("product.created", {"id": "prod_1"}, now)
    await apply(database, settings, stripe, books.events)
    async with database.begin() as connection:
        states = (await connection.scalars(select(platform_inbox.c.state))).all()
    assert states == ["ignored"] * 3


Forgery = Callable[[bytes], str]


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        (lambda body: signed(body, "whsec_of_somebody"), "none of the secrets"),
        (lambda body: signed(body + b" "), "none of the secrets"),
        (
            lambda body: signed(body, at=datetime.now(UTC) - timedelta(minutes=6)),
            "more than five minutes old",
        ),
        (lambda body: "t=1,v1=", "none of the secrets"),
        (lambda body: "v1=00", "can't be read"),
        (lambda body: "", "no Stripe-Signature"),
    ],
)
async def test_a_forged_webhook_is_refused(
    stripe: Stripe, stand_in: StripeStandIn, forged: Forgery, why: str
) -> None:
    body = b'{"object":"event","id":"evt_1","type":"invoice.paid"}'
    with pytest.raises(WebhookRefused, match=why):
        stripe.verify({"stripe-signature": forged(body)}, body, datetime.now(UTC))


async def test_stripe_being_away_is_waited_for(
    database: Database, settings: Settings, stand_in: StripeStandIn, tenant: Tenant
) -> None:
    away = stripe_settings(stand_in, stripe_url=f"http://127.0.0.1:{free_port()}")
    adapter = open_stripe(database, away)
    assert adapter is not None
    event = stand_in.books.happen("invoice.paid", {"id": "in_1"}, stand_in.now)
    clock = Clock()
    await apply(database, away, adapter, [event], clock=clock)
    async with database.begin() as connection:
        row = (await connection.execute(select(platform_inbox))).mappings().one()
    assert (row["state"], row["attempts"]) == ("waiting", 1)
    assert "can't be reached" in row["reason"]
    assert row["next_attempt_at"] > clock()
    await adapter.close()


async def test_a_tenant_of_another_currency_is_another_customer(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    euros = await on_stripe(database, stripe, currency="EUR")
    await issued(database, settings, tenant, ["10.00"])
    await issued(database, settings, euros, ["10.00"])
    await send(database, stripe)
    named = [customer["metadata"] for customer in stand_in.books.all("customer")]
    assert {(row["farebox_tenant"], row["farebox_currency"]) for row in named} == {
        (tenant.id, "USD"),
        (euros.id, "EUR"),
    }
