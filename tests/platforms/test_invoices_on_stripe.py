"""Finished invoices on Stripe: with our lines, our taxes and our total, once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from backend.customers.profiles import set_details
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.voiding import void
from backend.invoices.queries import find_invoice
from backend.invoices.settling import record_payment, write_off
from backend.platforms.sending.dispatches import KEYS_HOLD
from backend.platforms.stripe.adapter import Stripe
from backend.pricing.tax.lines import TaxRate
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import (
    BillingDetails,
    CreditNoteCreate,
    CreditWanted,
    PaymentRecord,
    VoidInvoice,
)
from tests.platforms.conftest import VAT, Clock, dispatches, issued, on_stripe, send
from tests.support.billing import make_tenant
from tests.support.stripe.server import StripeStandIn

pytestmark = pytest.mark.engine


async def test_an_invoice_is_there_as_it_is_here(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    city = TaxRate("city", "City tax", Decimal("1.5"))
    invoice_id = await issued(
        database, settings, tenant, ["10.01", "-3.33", "0.00", "7.77"], [VAT, city]
    )
    assert await send(database, stripe) == 1
    async with database.begin() as connection:
        ours = await find_invoice(connection, settings, tenant.id, invoice_id, datetime.now(UTC))
    [remote] = stand_in.books.all("invoice")
    assert remote["status"] == "open"
    assert remote["total"] == int(ours.total.amount * 100)
    assert [tax["amount"] for tax in remote["total_taxes"]] == [
        int(tax.amount.amount * 100) for tax in ours.taxes
    ]
    assert [line["amount"] for line in remote["lines"]["data"]] == [1001, -333, 0, 777]
    assert remote["lines"]["data"][0]["description"] == "Line 1 (12.34567891)"
    assert remote["metadata"]["farebox_id"] == invoice_id
    assert len(ours.number or "") > 26  # so Stripe can't have it as its number
    assert remote["custom_fields"][0]["value"] == ours.number
    [row] = await dispatches(database, tenant)
    assert (row["state"], row["remote_id"]) == ("confirmed", remote["id"])
    assert await send(database, stripe) == 0


async def test_251_lines_are_as_many_as_stripe_takes(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    amounts = [f"{number}.0{number % 10}" for number in range(1, 252)]
    await issued(database, settings, tenant, amounts, [VAT])
    await send(database, stripe)
    [remote] = stand_in.books.all("invoice")
    lines = remote["lines"]["data"]
    assert len(lines) == 250
    assert lines[-1]["description"].startswith("2 further lines, as on FB-")
    assert sum(line["amount"] for line in lines) == sum(int(Decimal(a) * 100) for a in amounts)
    assert sum(line["taxes"][0]["amount"] for line in lines) == remote["total_taxes"][0]["amount"]


@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [("JPY", "1234", 1234), ("KWD", "1.250", 1250), ("ISK", "5", 500)],
)
async def test_each_currency_is_counted_in_stripes_units(
    database: Database,
    settings: Settings,
    stand_in: StripeStandIn,
    stripe: Stripe,
    currency: str,
    amount: str,
    minor: int,
) -> None:
    tenant = await on_stripe(database, stripe, currency=currency)
    await issued(database, settings, tenant, [amount])
    await send(database, stripe)
    [remote] = stand_in.books.all("invoice")
    assert (remote["total"], remote["currency"]) == (minor, currency.lower())


async def test_what_stripe_cant_collect_is_parked_and_others_go_on(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe
) -> None:
    dinars = await on_stripe(database, stripe, currency="KWD")
    dollars = await on_stripe(database, stripe)
    invoice_id = await issued(database, settings, dinars, ["1.234"])
    await issued(database, settings, dollars, ["9.99"])
    async with database.begin() as connection:
        await write_off(connection, dinars.id, invoice_id, datetime.now(UTC))
    await issued(database, settings, dinars, ["1.230"], month=4)
    await send(database, stripe)
    parked, blocked, later = await dispatches(database, dinars)
    assert parked["state"] == "refused"
    assert "steps of 0.010, and 1.234 is due" in parked["reason"]
    assert (blocked["state"], blocked["attempts"]) == ("waiting", 0)
    assert later["state"] == "confirmed"
    assert {row["state"] for row in await dispatches(database, dollars)} == {"confirmed"}


@pytest.mark.parametrize("trouble", ["lost", "500", "429"])
async def test_any_request_may_fail_and_there_is_one_invoice(
    database: Database,
    settings: Settings,
    stand_in: StripeStandIn,
    stripe: Stripe,
    tenant: Tenant,
    trouble: str,
) -> None:
    """Each of the four requests that change something fails once, at a first attempt of its own."""
    await issued(database, settings, tenant, ["10.00", "5.00"], [VAT])
    clock = Clock()
    for turn in range(4):
        stand_in.trouble.extend([trouble])  # type: ignore[list-item]
        await send(database, stripe, clock)
        [row] = await dispatches(database, tenant)
        if row["state"] == "confirmed":
            break
        assert row["attempts"] == (0 if trouble == "429" else turn + 1)
        clock.pass_by(timedelta(hours=2))
    stand_in.trouble.clear()
    await send(database, stripe, clock)
    [row] = await dispatches(database, tenant)
    assert row["state"] == "confirmed"
    assert len(stand_in.books.all("customer")) == 1
    [remote] = stand_in.books.all("invoice")
    assert (remote["status"], remote["total"]) == ("open", 1785)
    assert len(remote["lines"]["data"]) == 2


async def test_an_answer_lost_a_day_ago_is_looked_up_before_anything_is_made(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    await issued(database, settings, tenant, ["10.00"])
    clock = Clock()
    for _ in range(2):  # of the customer, then of the invoice
        stand_in.trouble.append("lost")
        await send(database, stripe, clock)
        clock.pass_by(KEYS_HOLD + timedelta(hours=5))
        stand_in.behind += KEYS_HOLD + timedelta(hours=5)
    await send(database, stripe, clock)
    [row] = await dispatches(database, tenant)
    assert (row["state"], row["key_group"]) == ("confirmed", 2)
    assert len(stand_in.books.all("customer")) == 1
    [remote] = stand_in.books.all("invoice")
    assert (remote["status"], len(remote["lines"]["data"])) == ("open", 1)


async def test_two_workers_make_one_invoice(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    for month in (3, 4, 5):
        await issued(database, settings, tenant, ["10.00", "2.00"], month=month)
    await asyncio.gather(send(database, stripe), send(database, stripe))
    await send(database, stripe)
    assert len(stand_in.books.all("customer")) == 1
    assert [remote["total"] for remote in stand_in.books.all("invoice")] == [1200] * 3


async def test_what_happens_here_happens_there(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    """Paid elsewhere, in part and wholly; voided; written off; credited in part after it."""
    ids = [
        await issued(database, settings, tenant, ["10.00", "20.00"], [VAT], month=month)
        for month in range(1, 6)
    ]
    await send(database, stripe)
    now = datetime.now(UTC)
    part, whole, voided, given_up, credited = ids
    async with database.begin() as connection:
        for invoice_id, amount in ((part, "5.70"), (whole, "35.70"), (credited, "30.70")):
            paid = PaymentRecord(amount=amount, method="transfer", reference=invoice_id)
            await record_payment(connection, tenant.id, invoice_id, paid, now)
        await void(connection, settings, tenant, voided, VoidInvoice(reason="wrong"), now)
        await write_off(connection, tenant.id, given_up, now)
    await send(database, stripe)
    async with database.begin() as connection:
        wanted = CreditNoteCreate(
            reason="too much", lines=[CreditWanted(line=2, amount=Decimal("10.00"))]
        )
        await credit(connection, settings, tenant, credited, wanted, now)
    await send(database, stripe)
    assert {row["state"] for row in await dispatches(database, tenant)} == {"confirmed"}
    by_id = {remote["metadata"]["farebox_id"]: remote for remote in stand_in.books.all("invoice")}
    states = [(by_id[own]["status"], by_id[own]["amount_remaining"]) for own in ids]
    assert states == [
        ("open", 3000),
        ("paid", 0),
        ("void", 0),
        ("uncollectible", 3570),
        ("paid", 0),
    ]
    [note] = stand_in.books.all("credit_note")
    assert (note["total"], note["pre_payment_amount"], note["out_of_band_amount"]) == (
        1190,
        500,
        690,
    )
    async with database.begin() as connection:
        ours = await find_invoice(connection, settings, tenant.id, credited, now)
    assert int(ours.credit_notes[0].to_balance.amount * 100) == 690


async def test_a_customer_is_renamed_with_its_next_invoice(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    for month in (1, 2):
        await issued(database, settings, tenant, ["10.00"], month=month)
        await send(database, stripe)
    details = BillingDetails(name="Renamed", address=["Street 1", "Town"], email="a@mail.example")
    async with database.begin() as connection:
        await set_details(connection, tenant.id, details)
    await issued(database, settings, tenant, ["10.00"], month=3)
    await send(database, stripe)
    [customer] = stand_in.books.all("customer")
    assert (customer["name"], customer["address"]["line2"]) == ("Renamed", "Town")
    changes = [asked for asked in stand_in.writes() if asked.path.startswith("/v1/customers")]
    assert len(changes) == 2


async def test_a_tenant_on_no_platform_leaves_nothing(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe
) -> None:
    tenant = await make_tenant(database)
    await issued(database, settings, tenant, ["10.00"])
    assert await send(database, stripe) == 0
    assert await dispatches(database, tenant) == []
    assert stand_in.asked == []
